"""Our configuration and the fields of Hugging Face's `config.json`, in both directions."""

import pathlib

FORMAT_VERSION = 1  # of the key `keras_bert`; readers refuse what is newer

ARCHITECTURES = {
    None: "BertModel",
    "classifier": "BertForSequenceClassification",
    "token_classifier": "BertForTokenClassification",
    "span_labeler": "BertForQuestionAnswering",
    "multiple_choice": "BertForMultipleChoice",
    "masked_lm": "BertForMaskedLM",
    "pretrainer": "BertForPreTraining",
    "embedder": "BertModel",
}
PROBLEM_TYPES = {
    "single_label": "single_label_classification",
    "multi_label": "multi_label_classification",
    "regression": "regression",
}

_REQUIRED = {
    "vocabulary_size": "vocab_size",
    "num_layers": "num_hidden_layers",
    "num_heads": "num_attention_heads",
    "hidden_dim": "hidden_size",
    "intermediate_dim": "intermediate_size",
    "max_sequence_length": "max_position_embeddings",
}
_OPTIONAL = {  # with the value of Hugging Face's `BertConfig`, which holds where a file does not say
    "num_segments": ("type_vocab_size", 2),
    "dropout": ("hidden_dropout_prob", 0.1),
    "attention_dropout": ("attention_probs_dropout_prob", 0.1),
    "activation": ("hidden_act", "gelu"),
    "layer_norm_epsilon": ("layer_norm_eps", 1e-12),
}
_ACTIVATIONS = {
    "gelu": "gelu",
    "gelu_new": "gelu_approximate",
    "gelu_pytorch_tanh": "gelu_approximate",
    "gelu_fast": "gelu_approximate",
    "relu": "relu",
    "silu": "silu",
    "swish": "silu",
    "tanh": "tanh",
}
_WRITTEN_ACTIVATIONS = {
    "gelu": "gelu",
    "gelu_approximate": "gelu_new",
    "relu": "relu",
    "silu": "silu",
    "tanh": "tanh",
}


def encoder_from_fields(fields: dict, path: pathlib.Path) -> dict:
    """Returns `BertEncoder`'s arguments from the fields of a `config.json`.

    Args:
        fields: dict, the content of the file.
        path: `pathlib.Path` of the file, for errors.

    Raises:
        ValueError: if fields are missing or ask for what this encoder does not do.
    """
    missing = [name for name in _REQUIRED.values() if name not in fields]
    if missing:
        raise ValueError(f"`{path}` must hold the fields of a BERT. Missing: {', '.join(missing)}. Add them.")
    positions = fields.get("position_embedding_type") or "absolute"
    if positions != "absolute":
        raise ValueError(
            f"Position embeddings must be absolute. Received: {positions!r} in `{path}`. No other is built."
        )
    if fields.get("is_decoder") or fields.get("add_cross_attention"):
        raise ValueError(
            f"The model must be an encoder. Received: is_decoder or add_cross_attention in `{path}`."
        )
    encoder = {ours: fields[theirs] for ours, theirs in _REQUIRED.items()}
    encoder.update({ours: fields.get(theirs, default) for ours, (theirs, default) in _OPTIONAL.items()})
    if encoder["activation"] not in _ACTIVATIONS:
        raise ValueError(
            f"`hidden_act` must be one of {', '.join(_ACTIVATIONS)}. Received: {encoder['activation']!r} in "
            f"`{path}`."
        )
    encoder["activation"] = _ACTIVATIONS[encoder["activation"]]
    return encoder


def fields_from_encoder(encoder: dict) -> dict:
    """Returns the fields of a `config.json` from `BertEncoder`'s arguments."""
    if encoder["activation"] not in _WRITTEN_ACTIVATIONS:
        raise ValueError(
            f"`activation` must be one of {', '.join(_WRITTEN_ACTIVATIONS)} to be saved, as transformers "
            f"knows it under no other name. Received: {encoder['activation']!r}."
        )
    fields = {theirs: encoder[ours] for ours, theirs in _REQUIRED.items()}
    fields.update({theirs: encoder[ours] for ours, (theirs, _) in _OPTIONAL.items()})
    fields["hidden_act"] = _WRITTEN_ACTIVATIONS[encoder["activation"]]
    return fields


def head_from_fields(fields: dict, num_classes: int | None = None) -> dict:
    """Returns the `head` entry of our configuration: labels in the order of their ids, task, dropout.

    Args:
        fields: dict, the content of a `config.json`.
        num_classes: int. How many classes the weights have, where `fields` does not say.
    """
    labels = labels_from_fields(fields)
    if not labels:  # transformers makes these names too
        labels = [f"LABEL_{i}" for i in range(num_classes or fields.get("num_labels") or 2)]
    tasks = {theirs: ours for ours, theirs in PROBLEM_TYPES.items()}
    # Without a type transformers takes one output for a regression, more for a choice of one.
    task = tasks.get(fields.get("problem_type"), "regression" if len(labels) == 1 else "single_label")
    return {"labels": labels, "task": task, "dropout": head_dropout(fields)}


def head_dropout(fields: dict) -> float:
    """Returns the dropout before the last layer: where a `config.json` does not say, that of the rest."""
    dropout = fields.get("classifier_dropout")
    return fields.get("hidden_dropout_prob", 0.1) if dropout is None else dropout


def labels_from_fields(fields: dict) -> list[str]:
    """Returns the labels in the order of their ids; an empty list where `id2label` is absent."""
    labels = fields.get("id2label") or {}
    return [str(labels[i]) for i in sorted(labels, key=int)]


def fields_from_head(head: dict) -> dict:
    """Returns the fields of a `config.json` from the `head` entry of our configuration."""
    fields = {}
    if "labels" in head:
        fields["id2label"] = {str(i): label for i, label in enumerate(head["labels"])}
        fields["label2id"] = {label: i for i, label in enumerate(head["labels"])}
    if head.get("task") in PROBLEM_TYPES:
        fields["problem_type"] = PROBLEM_TYPES[head["task"]]
    if "dropout" in head:
        fields["classifier_dropout"] = head["dropout"]
    return fields
