"""Writing a preset: the layout that transformers reads, with one key of ours."""

import os

import numpy as np

from keras_bert.presets.atomic import atomic_directory
from keras_bert.presets.fields import ARCHITECTURES, FORMAT_VERSION, fields_from_encoder, fields_from_head
from keras_bert.presets.files import write_json, write_safetensors
from keras_bert.presets.names import check_weights, encoder_names
from keras_bert.presets.sentence_transformers import FILES as EMBEDDING_FILES
from keras_bert.presets.sentence_transformers import embedding_files
from keras_bert.presets.tokenizer_files import SPECIAL_TOKENS

FILES = ("config.json", "vocab.txt", "tokenizer_config.json", *EMBEDDING_FILES, "model.safetensors")


def write_preset(
    path: str | os.PathLike,
    config: dict,
    vocabulary: list[str] | None = None,
    weights: dict[str, np.ndarray] | None = None,
    storage_dtype: str = "float32",
) -> None:
    """Writes `config.json`, `vocab.txt`, `tokenizer_config.json` and `model.safetensors`, all or none.

    An embedder's preset also holds the files from which sentence-transformers loads it.

    An existing preset is replaced, any other directory is left alone. Without `weights` a directory that
    holds weights is left alone too, so that saving a tokenizer cannot delete a model.

    Args:
        path: str or `os.PathLike`. The directory; parents are created.
        config: dict as `read_preset` returns it. Without `"encoder"` only a tokenizer is written.
        vocabulary: list of str in id order. Defaults to None: no tokenizer files.
        weights: dict from Hugging Face's tensor name, without `bert.`, to array. Defaults to None: no weight
            file.
        storage_dtype: `"float32"` or `"float16"`, which halves the file. Defaults to `"float32"`.

    Raises:
        ValueError: if an argument cannot be written, or `path` holds other files.

    Example:
    >>> vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "hello"]
    >>> write_preset("my_tokenizer", {"tokenizer": {"lowercase": True}}, vocabulary)
    """
    if storage_dtype not in ("float32", "float16"):
        raise ValueError(f"`storage_dtype` must be 'float32' or 'float16'. Received: {storage_dtype!r}.")
    fields = _config_fields(config, vocabulary, weights, storage_dtype)
    tensors = None if weights is None else _stored_tensors(config, weights, storage_dtype)
    if vocabulary is not None:
        broken = [token for token in vocabulary if "\n" in token or "\r" in token]
        if broken:
            raise ValueError(
                f"A token must fit on a line of vocab.txt. Received: {broken[:5]}. Remove the line ends."
            )
    with atomic_directory(path, FILES if weights is not None else FILES[:-1]) as directory:
        write_json(directory / "config.json", fields)
        if vocabulary is not None:
            (directory / "vocab.txt").write_bytes(
                "".join(f"{token}\n" for token in vocabulary).encode("utf-8")
            )
            write_json(directory / "tokenizer_config.json", _tokenizer_fields(config, vocabulary))
        for name, content in _embedding_files(config).items():
            (directory / name).parent.mkdir(exist_ok=True)
            write_json(directory / name, content)
        if tensors is not None:
            write_safetensors(directory / "model.safetensors", tensors)


def _config_fields(config, vocabulary, weights, storage_dtype):
    task, head = config.get("task"), config.get("head") or {}
    if task not in ARCHITECTURES:
        known = ", ".join(map(repr, ARCHITECTURES))
        raise ValueError(f"`task` must be one of {known}. Received: {task!r}.")
    if weights is not None and "encoder" not in config:
        raise ValueError(
            "Weights must come with the configuration of their encoder. Received: config without 'encoder'."
        )
    fields = {"model_type": "bert"}
    if "encoder" in config:
        fields["architectures"] = [ARCHITECTURES[task]]
        fields.update(fields_from_encoder(config["encoder"]))
        fields.update(fields_from_head(head))
        fields["position_embedding_type"] = "absolute"
        fields["dtype"] = storage_dtype
    if vocabulary is not None and SPECIAL_TOKENS["pad_token"] in vocabulary:
        fields["pad_token_id"] = vocabulary.index(SPECIAL_TOKENS["pad_token"])
    fields["keras_bert"] = {
        "format_version": FORMAT_VERSION,
        "task": task,
        "tokenizer": config.get("tokenizer") or {},
        "preprocessor": config.get("preprocessor") or {},
        "head": head,
    }
    return fields


def _embedding_files(config):
    if config.get("task") != "embedder":
        return {}
    head, encoder = config["head"], config["encoder"]
    length = (config.get("preprocessor") or {}).get("sequence_length", encoder["max_sequence_length"])
    return embedding_files(head["pooling"], head["normalize"], encoder["hidden_dim"], length)


def _tokenizer_fields(config, vocabulary):
    tokenizer = config.get("tokenizer") or {}
    ids = {token: i for i, token in enumerate(vocabulary)}
    special = {field: token for field, token in SPECIAL_TOKENS.items() if token in ids}
    never_split = list(tokenizer.get("never_split") or [])
    whole = [(token, True) for token in special.values()]
    # transformers v5 no longer looks at never_split: it keeps whole only what is listed as added.
    whole += [(token, False) for token in never_split if token in ids and token not in special.values()]
    fields = {
        "tokenizer_class": "BertTokenizer",
        "do_lower_case": tokenizer.get("lowercase", True),
        "strip_accents": tokenizer.get("strip_accents"),
        "tokenize_chinese_chars": True,
        "never_split": never_split,
        **special,
        "added_tokens_decoder": {
            str(ids[token]): _added_token(token, is_special) for token, is_special in whole
        },
    }
    if "encoder" in config:
        fields["model_max_length"] = config["encoder"]["max_sequence_length"]
    return fields


def _added_token(token, is_special):
    flags = dict.fromkeys(("lstrip", "rstrip", "single_word", "normalized"), False)
    return {"content": token, "special": is_special, **flags}


def _stored_tensors(config, weights, storage_dtype):
    expected = encoder_names(config["encoder"])
    _, heads = check_weights(expected, weights, optional=("pooler.",))
    tensors = {}
    for name, tensor in weights.items():
        # A model with a head keeps its encoder in an attribute `bert` in transformers, a bare one does not.
        stored_name = f"bert.{name}" if heads and name not in heads else name
        tensor = np.asarray(tensor)
        with np.errstate(over="ignore"):
            stored = np.ascontiguousarray(tensor, dtype=storage_dtype)
        if not np.isfinite(stored).all() and np.isfinite(tensor).all():
            raise ValueError(
                f"The weights must fit into {storage_dtype}. Received: `{name}` with values up to "
                f"{np.abs(tensor).max():.3g}. Use storage_dtype='float32'."
            )
        tensors[stored_name] = stored
    return tensors
