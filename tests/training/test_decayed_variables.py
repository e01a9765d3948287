"""Which variables of each task model decay: written out, and by their shapes."""

import pytest

from tests.heads import ALL_MAKERS

TABLES = [f"embeddings/{name}_embedding/embeddings" for name in ("token", "position", "segment")]
BLOCK = ("query", "key", "value", "attention_output", "intermediate", "output")
BLOCKS = [f"transformer_block_{i}/{part}/kernel" for i in range(2) for part in BLOCK]
POOLER = ["pooler/dense/kernel"]
MASKED_LM = ["masked_lm_head/dense/kernel"]
# Beside the tables and the blocks. Where the pooler is not read it has no gradient, and stays as it is.
HEADS = {
    "BertClassifier": [*POOLER, "logits/kernel"],
    "BertDistiller": [*POOLER, "logits/kernel"],
    "BertEmbedder": POOLER,
    "BertMaskedLM": [*POOLER, *MASKED_LM],  # its last layer is the token table
    "BertMultipleChoice": [*POOLER, "scores/kernel"],
    "BertPretrainer": [*POOLER, *MASKED_LM, "next_sentence_logits/kernel"],
    "BertSpanLabeler": [*POOLER, "logits/kernel"],
    "BertTokenClassifier": [*POOLER, "logits/kernel"],
}


@pytest.mark.parametrize("name", HEADS)
def test_just_these_variables_of_a_model_decay(name):
    model = ALL_MAKERS[name]()
    variables = model.trainable_variables
    model.optimizer.build(variables)
    decayed = [v for v in variables if model.optimizer._use_weight_decay(v)]
    assert sorted(v.path for v in decayed) == sorted([*TABLES, *BLOCKS, *HEADS[name]])
    assert [v.path for v in decayed] == [v.path for v in variables if len(v.shape) == 2]
    # Of norms and biases: 2 of the embeddings, 10 of each block, one of each Dense layer, 2 of a masked-LM head's norm
    # and its bias for each token.
    kernels = len(HEADS[name])
    assert len(variables) - len(decayed) == 2 + 2 * 10 + kernels + 3 * (MASKED_LM[0] in HEADS[name])


def test_all_task_models_are_listed(root):
    lines = (root / "keras_bert/__init__.py").read_text().splitlines()
    tasks = {line.split()[-1] for line in lines if ".models." in line}
    assert set(HEADS) == set(ALL_MAKERS) == tasks - {"BertEncoder", "SIZES"}
