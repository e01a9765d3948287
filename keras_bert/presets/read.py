"""Reading a preset from wherever it is."""

import os
import pathlib

import numpy as np

from keras_bert.presets.fetch import fetch_hugging_face
from keras_bert.presets.google import CONFIG as GOOGLE_CONFIG
from keras_bert.presets.google import read_google
from keras_bert.presets.hugging_face import INDEX, WEIGHTS, read_hugging_face
from keras_bert.presets.keras_hub import read_keras_hub

# Folders beside this file, with model cards. The first is what recipes take where none is named.
PACKAGED = ("novels_mini_en_uncased",)


def read_preset(
    preset: str | os.PathLike, load_weights: bool = True
) -> tuple[dict, list[str] | None, dict[str, np.ndarray] | None]:
    """Reads the configuration, the vocabulary and the weights of a BERT.

    The format of a directory is recognised from its files. A directory wins over a packaged or a KerasHub name.

    Args:
        preset: str or `os.PathLike`. A directory (saved by this library, transformers, sentence-transformers
            or KerasHub, or a TF1 release of Google), a name in `PACKAGED`, `"hf://owner/repo"` or
            `"hf://owner/repo@revision"`, `"kaggle://..."`, or a KerasHub name such as `"bert_base_en_uncased"`.
        load_weights: bool. Whether to read the weights. Without, weight files are not fetched and may be
            absent, and a directory may hold only a tokenizer. Defaults to True.

    Returns:
        A tuple of
        - config: dict with the keys `"encoder"` (`BertEncoder`'s arguments; absent if only a tokenizer was
          saved), `"tokenizer"` (`BertTokenizer`'s), `"preprocessor"` (`BertPreprocessor`'s, or empty),
          `"task"` (which head the weights carry, or None), `"head"` (its labels, task and dropout, or
          empty) and, of a directory of sentence-transformers, `"modules"` (the name and the settings of each).
        - vocabulary: list of str in id order, or None.
        - weights: dict from Hugging Face's tensor name, without `bert.`, to float32 array; None without
          `load_weights`.

    Raises:
        ValueError: naming what is missing, left over or does not fit, and what to do.

    Example:
    >>> from keras_bert.presets.write import write_preset
    >>> write_preset("my_tokenizer", {"tokenizer": {"lowercase": True}}, ["[PAD]", "[UNK]", "hello"])
    >>> config, vocabulary, weights = read_preset("my_tokenizer", load_weights=False)
    >>> vocabulary
    ['[PAD]', '[UNK]', 'hello']
    """
    name = os.fspath(preset)
    if os.path.isdir(name):
        content = _read_directory(pathlib.Path(name), load_weights)
    elif name in PACKAGED:
        content = _read_directory(pathlib.Path(__file__).parent / name, load_weights)
    elif name.startswith("hf://"):
        content = _read_directory(fetch_hugging_face(name, load_weights), load_weights)
    elif name.startswith("kaggle://") or (name.isidentifier() and not os.path.exists(name)):
        content = read_keras_hub(name, load_weights)
    else:
        found = "a file" if os.path.exists(name) else "no such directory"
        hint = (
            f" If it is a repository of the Hugging Face Hub, write 'hf://{name}'."
            if name.count("/") == 1
            else ""
        )
        raise ValueError(
            f"`preset` must be a directory, {', '.join(map(repr, PACKAGED))}, 'hf://owner/repo', 'kaggle://...', "
            f"or a KerasHub name. Received: {name!r}, {found}.{hint}"
        )
    config, vocabulary, weights = content
    size = config["encoder"]["vocabulary_size"] if "encoder" in config else None
    if vocabulary is not None and size is not None and len(vocabulary) > size:
        raise ValueError(
            f"The embedding must have a row for each token. Received: {len(vocabulary)} tokens and a "
            f"vocabulary size of {size} in {name!r}. Resize the embedding, or use the vocabulary that "
            "belongs to these weights."
        )
    return config, vocabulary, weights


def _read_directory(directory, load_weights):
    files = {path.name for path in directory.iterdir()}
    # Some directories hold a release beside its conversion, which says more about the tokenizer.
    converted = "config.json" in files and (not load_weights or files & {WEIGHTS, INDEX})
    if files & {GOOGLE_CONFIG, "bert_model.ckpt.index"} and not converted:
        return read_google(directory, load_weights)
    if "metadata.json" in files and "model_type" not in _text(directory / "config.json"):
        return read_keras_hub(str(directory), load_weights)
    return read_hugging_face(directory, load_weights)


def _text(path):
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
