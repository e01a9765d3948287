"""Reading the layout of Hugging Face's transformers, which is ours too."""

import pathlib

import numpy as np

from keras_bert.presets.fields import (
    ARCHITECTURES,
    FORMAT_VERSION,
    encoder_from_fields,
    head_dropout,
    head_from_fields,
    labels_from_fields,
)
from keras_bert.presets.files import read_json, read_safetensors
from keras_bert.presets.sentence_transformers import read_modules
from keras_bert.presets.tokenizer_files import read_tokenizer

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
# Old versions of transformers saved these constants among the weights.
_BUFFERS = ("embeddings.position_ids", "embeddings.token_type_ids")


def read_hugging_face(
    directory: pathlib.Path, load_weights: bool = True
) -> tuple[dict, list[str] | None, dict[str, np.ndarray] | None]:
    """Reads a directory that transformers, sentence-transformers or this library saved.

    Args:
        directory: `pathlib.Path`.
        load_weights: bool. Whether to read the weights; without, the weight files may be absent. Defaults to
            True.

    Returns:
        `(config, vocabulary, weights)`; see `read_preset`.

    Raises:
        ValueError: naming what is missing or does not fit.
    """
    path = directory / "config.json"
    vocabulary, tokenizer = read_tokenizer(directory)
    # A tokenizer of transformers saves no config.json.
    if not path.is_file() and (load_weights or vocabulary is None):
        raise ValueError(
            f"A preset must hold config.json. Received: `{directory}` without it. Give the directory that "
            "was saved, not one above or below it."
        )
    fields = read_json(path) if path.is_file() else {}
    own = _own_settings(fields, path)
    config = {
        "tokenizer": {**tokenizer, **own.get("tokenizer", {})},
        "preprocessor": own.get("preprocessor", {}),
        "task": None,
        "head": {},
    }
    if "hidden_size" not in fields and (not fields or own):  # only a tokenizer or a preprocessor was saved
        if load_weights:
            raise ValueError(
                f"The preset must hold a model. Received: `{directory}`, which holds only a tokenizer. "
                "Load it with BertTokenizer or BertPreprocessor."
            )
        return config, vocabulary, None
    if fields.get("model_type", "bert") != "bert":
        raise ValueError(
            f"The model must be a BERT (model_type 'bert'). Received: model_type={fields['model_type']!r} in "
            f"`{path}`. Other architectures are not read."
        )
    config["encoder"] = encoder_from_fields(fields, path)
    modules = read_modules(directory)
    if modules is not None:
        config["modules"] = modules
    weights = _read_weights(directory) if load_weights else None
    config["task"], config["head"] = _task_and_head(fields, own, weights)
    return config, vocabulary, weights


def _own_settings(fields, path):
    own = fields.get("keras_bert") or {}
    if own and own.get("format_version", 0) > FORMAT_VERSION:
        raise ValueError(
            f"The format of a preset must be at most {FORMAT_VERSION} for this version of keras_bert. "
            f"Received: format_version={own['format_version']} in `{path}`. Upgrade keras_bert."
        )
    return own


def _task_and_head(fields, own, weights):
    architectures = fields.get("architectures") or []
    task, head = own.get("task"), own.get("head") or {}
    # transformers keeps a key that it does not know, so after a fine-tuning there ours can be out of date: it
    # counts as long as it says the same as the fields beside it.
    if (
        own
        and architectures == [ARCHITECTURES.get(task)]
        and head.get("labels", []) == labels_from_fields(fields)
    ):
        return task, head
    # Their heads that are named "classifier"; what the others have beside weights, transformers does not keep.
    heads = ("classifier", "token_classifier", "multiple_choice")
    task = next((task for task in heads if architectures == [ARCHITECTURES[task]]), None)
    if task is None or (weights is not None and "classifier.weight" not in weights):
        return None, {}
    if task == "multiple_choice":
        return task, {"dropout": head_dropout(fields)}
    head = head_from_fields(fields, None if weights is None else len(weights["classifier.weight"]))
    if task == "token_classifier":
        del head["task"]
    return task, head


def _read_weights(directory):
    if (directory / WEIGHTS).is_file():
        tensors = read_safetensors(directory / WEIGHTS, skip=_BUFFERS)
    elif (directory / INDEX).is_file():
        tensors = _read_shards(directory)
    else:
        found = sorted(
            p.name for p in directory.iterdir() if p.suffix in (".bin", ".h5", ".msgpack", ".pt", ".onnx")
        )
        raise ValueError(
            f"A preset must hold {WEIGHTS} (or {INDEX} and its shards). Received: `{directory}` with "
            f"{', '.join(found) or 'no weights'}. Pickles such as pytorch_model.bin are never read, as they "
            "can run code: convert them with transformers' `save_pretrained(..., safe_serialization=True)`. "
            "Without weights, load with `load_weights=False`."
        )
    weights = {}
    for name, tensor in tensors.items():
        ours = name.removeprefix("bert.").replace("LayerNorm.gamma", "LayerNorm.weight")
        ours = ours.replace("LayerNorm.beta", "LayerNorm.bias")
        if ours in weights:
            raise ValueError(
                f"Each tensor must be there once. Received: {ours!r} under two names in `{directory}`."
            )
        weights[ours] = tensor
    return _untied(weights)


def _read_shards(directory):
    places = read_json(directory / INDEX).get("weight_map") or {}
    shards = {}
    for name, shard in places.items():
        shards.setdefault(shard, []).append(name)
    tensors = {}
    for shard, names in shards.items():
        if "/" in shard or "\\" in shard:
            raise ValueError(
                f"Shards must lie beside `{directory / INDEX}`. Received: {shard!r}. Fetch the file again."
            )
        tensors.update(read_safetensors(directory / shard, names, skip=_BUFFERS))
    return tensors


def _untied(weights):
    """Drops the second copies of the token embedding and the output bias, which some versions saved."""
    bias = weights.pop("cls.predictions.decoder.bias", None)
    if bias is not None:
        weights.setdefault("cls.predictions.bias", bias)
    table, copy = (
        weights.get("embeddings.word_embeddings.weight"),
        weights.get("cls.predictions.decoder.weight"),
    )
    if table is not None and copy is not None and table.shape == copy.shape and (table == copy).all():
        del weights["cls.predictions.decoder.weight"]
    return weights
