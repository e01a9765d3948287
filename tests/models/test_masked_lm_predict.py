"""What BertMaskedLM says about texts: against transformers' pipeline, a plain loop, and its own SavedModel."""

import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_bert
from tests.classifiers import with_large_weights
from tests.masked import ODD, PLAIN, TEXTS, VOCABULARY, assert_fillings, make_masked_lm

ENGLISH = [
    "Paris is the [MASK] of France.",
    "He put his [MASK] in his pocket, and [MASK] out.",
    "[MASK]",
    "We saw two films[MASK] and one [MASK]",
    "A long one: " + "the cat sat on the mat and " * 3 + "[MASK]!",
]
CHINESE = ["巴黎是法国的首[MASK]。", "今天[MASK]气很[MASK]，我们去 New [MASK] 吧", "[MASK]国"]


def real_vocabulary_model(file, lowercase=True):
    """A random model of few layers on one of the official vocabularies."""
    tokenizer = keras_bert.BertTokenizer(str(file), lowercase=lowercase)
    keras.utils.set_random_seed(0)
    encoder = keras_bert.BertEncoder(
        vocabulary_size=len(tokenizer.vocabulary), num_layers=2, num_heads=3, hidden_dim=12, intermediate_dim=20,
        max_sequence_length=64,
    )  # fmt: skip
    return with_large_weights(keras_bert.BertMaskedLM(encoder, keras_bert.BertPreprocessor(tokenizer, 64)))


def pipeline_of(model, path, top_k):
    transformers = pytest.importorskip("transformers")
    model.save_to_preset(path)
    theirs = transformers.BertForMaskedLM.from_pretrained(path).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(path)
    return transformers.pipeline("fill-mask", model=theirs, tokenizer=tokenizer, top_k=top_k)


@pytest.mark.parametrize("name", ["novels_mini_en_uncased", "bert-base-uncased", "bert-base-chinese"])
def test_fillings_are_those_of_transformers(request, tmp_path, name):
    if name.startswith("novels"):
        model = keras_bert.BertMaskedLM.from_preset(name)
    else:
        folder = request.getfixturevalue("shared_data") / "bert_vocab"
        model = real_vocabulary_model(folder / f"{name}-vocab.txt")
    texts = CHINESE if name.endswith("chinese") else ENGLISH
    expected = pipeline_of(model, tmp_path, top_k=4)(texts)
    found = model.predict(texts, top_k=4, verbose=0)
    scores = []
    for text, ours, theirs in zip(texts, found, expected, strict=True):
        theirs = [theirs] if isinstance(theirs[0], dict) else theirs
        assert len(ours) == len(theirs) == text.count("[MASK]")
        for fillings, their_fillings in zip(ours, theirs, strict=True):
            # They decode what we show as it stands in the vocabulary.
            names = [filling["token_str"].removeprefix("##") for filling in their_fillings]
            assert [filling["token"].removeprefix("##") for filling in fillings] == names
            their_scores = [filling["score"] for filling in their_fillings]
            np.testing.assert_allclose([filling["score"] for filling in fillings], their_scores, atol=1e-5)
            scores += their_scores
    assert max(scores) > 10 / len(model.preprocessor.tokenizer.vocabulary)


def test_it_fills_what_the_user_wrote():
    model = make_masked_lm(num_layers=1)
    assert {text.count("[MASK]") for text in TEXTS} >= {1, 2, 3, 12}
    found = model.predict(TEXTS, top_k=len(VOCABULARY), verbose=0)
    joined = 0
    for text, masks in zip(TEXTS, found, strict=True):
        parts = text.split("[MASK]")
        assert len(masks) == len(parts) - 1
        for place, fillings in enumerate(masks, start=1):
            before, after = "[MASK]".join(parts[:place]), "[MASK]".join(parts[place:])
            assert {filling["token"] for filling in fillings} == set(VOCABULARY)
            scores = [filling["score"] for filling in fillings]
            assert scores == sorted(scores, reverse=True) and 0.3 < sum(scores) < 1  # two rows have no name
            for filling in fillings:
                token = filling["token"]
                goes_on = token.startswith("##")
                joined += goes_on and before != before.rstrip()
                start = before.rstrip() if goes_on else before
                assert filling["filled"] == start + token.removeprefix("##") + after
    assert joined > 4


def test_chinese_is_filled_without_spaces():
    text = "北京是中国的首[MASK]。"
    tokenizer = keras_bert.BertTokenizer([*VOCABULARY[:5], *"北京是中国的首都", "##都", "。"])
    encoder = keras_bert.BertEncoder(
        len(tokenizer.vocabulary), num_layers=1, num_heads=1, hidden_dim=4, intermediate_dim=4
    )
    model = keras_bert.BertMaskedLM(encoder, keras_bert.BertPreprocessor(tokenizer))
    (fillings,) = model.predict([text], top_k=15, verbose=0)[0]
    filled = {filling["token"]: filling["filled"] for filling in fillings}
    assert filled["都"] == filled["##都"] == "北京是中国的首都。"


def test_only_the_mask_is_special_in_a_text():
    model = make_masked_lm(num_layers=1)
    masked, literal = (
        keras_bert.BertTokenizer(VOCABULARY, special_tokens_in_text=special) for special in (True, False)
    )
    (row,) = np.array(literal(["a [SEP]"]).to_list())
    assert row.tolist() == [5, 19, 21, 20]  # the text that it is, in four pieces
    rows = np.array([[2, *masked("a [MASK]").numpy(), *row[1:], 3]])
    inputs = {"token_ids": rows, "segment_ids": 0 * rows, "padding_mask": 0 * rows + 1, "mask_positions": [[2]]}
    inputs["mask_positions"] = np.array(inputs["mask_positions"])
    expected = tf.nn.softmax(model(inputs)[0, 0]).numpy()
    found = model.predict(["a [MASK] [SEP]"], top_k=3, verbose=0)[0][0]
    for filling in found:
        assert filling["score"] == pytest.approx(expected[VOCABULARY.index(filling["token"])], abs=1e-6)


def test_answers_do_not_depend_on_the_batch():
    model = make_masked_lm(num_layers=1)
    alone = [model.predict([text], verbose=0)[0] for text in TEXTS]
    dataset = tf.data.Dataset.from_tensor_slices((TEXTS, [1] * len(TEXTS)))
    for x, batch_size in ((TEXTS, None), ((TEXTS,), 1), (dataset, 3), (dataset.batch(2), None), (np.array(TEXTS), 2)):
        together = model.predict(x, batch_size=batch_size, verbose=0)
        assert _texts(together) == _texts(alone)
        np.testing.assert_allclose(_scores(together), _scores(alone), atol=1e-6)
    assert model.predict([], verbose=0) == []


def _texts(records):
    return [[[(f["token"], f["filled"]) for f in mask] for mask in masks] for masks in records]


def _scores(records):
    return [filling["score"] for masks in records for mask in masks for filling in mask]


def test_pseudo_perplexity_is_a_plain_loop_of_transformers(tmp_path):
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    model = make_masked_lm()
    model.save_to_preset(tmp_path)
    theirs = transformers.BertForMaskedLM.from_pretrained(tmp_path).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path)
    texts = [*PLAIN, "b?", "", "???", "Z"]
    expected = []
    for text in texts:
        ids = tokenizer(text, return_tensors="pt", truncation=True, max_length=14)["input_ids"]
        logs = []
        for place in range(1, ids.shape[1] - 1):
            if int(ids[0, place]) in tokenizer.all_special_ids:
                continue
            masked = ids.clone()
            masked[0, place] = tokenizer.mask_token_id
            with torch.no_grad():
                logs.append(theirs(masked).logits[0, place].log_softmax(-1)[ids[0, place]].item())
        expected.append(np.exp(-np.mean(logs)) if logs else np.nan)
    for batch_size in (None, 2):
        found = model.pseudo_perplexity(texts, batch_size=batch_size, verbose=0)
        np.testing.assert_allclose(found, expected, rtol=1e-4)
    assert np.isnan(expected).tolist() == [False] * 6 + [True] * 3
    assert model.pseudo_perplexity([], verbose=0).shape == (0,)
    assert np.isnan(model.pseudo_perplexity(["?"], verbose=0)).all()
    by_dataset = model.pseudo_perplexity(tf.data.Dataset.from_tensor_slices(texts).batch(4), verbose=0)
    np.testing.assert_allclose(by_dataset, expected, rtol=1e-4)


def test_memory_of_a_judgement_is_that_of_a_batch():
    """No batch has more than about 2,048 tokens, and no more rows are laid out than are computed."""
    from keras_bert.data.masked_texts import single_mask_batches

    model = make_masked_lm(num_layers=1)
    ids = model.preprocessor.tokenizer(["a b c d e f g h a b c d"] * 300 + ["a"] * 50)
    dataset, texts = single_mask_batches(ids, model.preprocessor, None, None)
    shapes = [inputs["token_ids"].shape for inputs, _ in dataset]
    assert sum(rows for rows, _ in shapes) == len(texts) == 3650
    assert max(rows * width for rows, width in shapes) <= 2048
    assert len(shapes) == 25


ASK = """
import json, sys
import tensorflow as tf
import tensorflow_text
signature = tf.saved_model.load(sys.argv[1]).signatures["serving_default"]
for texts in json.load(open(sys.argv[2])):
    answers = signature(text=tf.constant(texts, tf.string))
    plain = lambda x: [plain(y) for y in x] if isinstance(x, list) else x.decode() if isinstance(x, bytes) else x
    print(json.dumps({name: plain(value.numpy().tolist()) for name, value in answers.items()}))
"""


def test_the_export_gives_the_same_fillings_in_a_fresh_process(tmp_path):
    model = make_masked_lm(num_layers=1)
    model.export(tmp_path / "1", top_k=3)
    groups = [TEXTS * 9, ["no mask", TEXTS[0], ""], ["none"], [], ODD]
    (tmp_path / "groups.json").write_text(json.dumps(groups))
    command = [sys.executable, "-c", ASK, str(tmp_path / "1"), str(tmp_path / "groups.json")]
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1"}
    result = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert result.returncode == 0, result.stderr[-3000:]
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    assert set(answers[0]) == {"token", "score", "filled", "num_masks"}
    for texts, found in zip(groups, answers, strict=True):
        if texts is ODD:
            assert found["num_masks"] == [0, 0, 12, 1, 0, 0, 1]  # those that a row of 14 tokens holds
            continue
        filled = iter(model.predict([text for text in texts if "[MASK]" in text], top_k=3, verbose=0))
        assert_fillings(found, [next(filled) if "[MASK]" in text else [] for text in texts], atol=1e-6)
    odd = answers[groups.index(ODD)]
    assert odd["filled"][3][0][0] == "a\0" + odd["token"][3][0][0].removeprefix("##") + "\0b"
    assert len(odd["filled"][6][0][0]) > 100_000


def test_bytes_that_are_no_text_are_dropped():
    model = make_masked_lm(num_layers=1)
    (fillings,) = model.predict([b"a \xff[MASK]\xfe b"], top_k=1, verbose=0)[0]
    assert fillings[0]["filled"] in (f"a {fillings[0]['token']} b", f"a{fillings[0]['token'].removeprefix('##')} b")


@pytest.mark.parametrize(
    ("x", "options", "message"),
    [
        (["a [MASK]", "b"], {}, r"Each text must hold \[MASK\]. Received: 'b' at index 1"),
        ([""], {}, r"Each text must hold \[MASK\]. Received: '' at index 0"),
        (["[MASK]", "a " * 12 + "[MASK]"], {}, r"among the first 12 tokens .* Received: 'a a .*' at index 1. Cut"),
        (["[MASK]" * 13], {}, "among the first 12 tokens"),
        (["a [MASK]"], {"top_k": 0}, "`top_k` must be a whole number of at least 1. Received: 0"),
        (["a [MASK]"], {"top_k": 1.5}, "`top_k` must be a whole number"),
        (["a [MASK]"], {"top_k": 99}, "`top_k` must be at most 22, the tokens of the vocabulary. Received: 99"),
        (["a [MASK]"], {"batch_size": 0}, "`batch_size` must be a whole number of at least 1"),
        ([("a [MASK]", "b")], {}, "must be single texts. Received: pairs"),
        (["a [MASK]", None], {}, "must be strings. Received: None"),
        ({"token_ids": [[1]]}, {}, "must hold .*, mask_positions. Received: token_ids. Add segment_ids, padding_mask"),
    ],
)
def test_what_cannot_be_filled_is_named(x, options, message):
    with pytest.raises(ValueError, match=message):
        make_masked_lm(num_layers=1).predict(x, verbose=0, **options)


def test_the_index_of_a_bad_text_counts_all_portions(monkeypatch):
    monkeypatch.setattr("keras_bert.data.token_budget._PORTION", 2)
    with pytest.raises(ValueError, match="Received: 'c' at index 4"):
        make_masked_lm(num_layers=1).predict(["[MASK]"] * 4 + ["c"], verbose=0)


def test_a_model_without_texts_says_what_it_needs(tmp_path):
    model = make_masked_lm(texts=False, num_layers=1)
    for call in (model.predict, model.pseudo_perplexity, model.fit, model.evaluate):
        with pytest.raises(ValueError, match="takes dicts of encoder inputs"):
            call(["a [MASK]"])
    with pytest.raises(ValueError, match="needs a preprocessor"):
        model.export(tmp_path / "1")
    with pytest.raises(ValueError, match="`top_k` must be at most 22"):
        make_masked_lm(num_layers=1).export(tmp_path / "1", top_k=23)
    assert not (tmp_path / "1").exists()
