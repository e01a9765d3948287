"""Reading Google's TF1 releases: `bert_config.json`, `vocab.txt`, `bert_model.ckpt.*`."""

import pathlib
import re

import numpy as np

from keras_bert.presets.fields import encoder_from_fields
from keras_bert.presets.files import read_json, read_lines
from keras_bert.presets.tokenizer_files import is_cased

CONFIG = "bert_config.json"
_OPTIMIZER = re.compile(r"(^|/)(adam_[mv]|lamb_[mv]|global_step|beta[12]_power)$")
_RENAMED = {  # the parts of a name, in the order in which they are replaced
    r"^bert/": "",
    r"^cls/squad/output_": "qa_outputs.",
    r"^cls/predictions/output_bias$": "cls.predictions.bias",
    r"^cls/seq_relationship/output_": "cls.seq_relationship.",
    r"^output_(weights|bias)$": r"classifier.\1",
    r"\bweights$": "weight",
    r"/layer_(\d+)/": r".layer.\1.",
    r"_embeddings$": "_embeddings.weight",
    r"LayerNorm/gamma$": "LayerNorm.weight",
    r"LayerNorm/beta$": "LayerNorm.bias",
    r"/kernel$": "/weight",
    r"/": ".",
}


def read_google(
    directory: pathlib.Path, load_weights: bool = True
) -> tuple[dict, list[str] | None, dict[str, np.ndarray] | None]:
    """Reads a TF1 release or a checkpoint that Google's scripts saved. Its weights need TensorFlow.

    Args:
        directory: `pathlib.Path`.
        load_weights: bool. Whether to read the checkpoint. Defaults to True.

    Returns:
        `(config, vocabulary, weights)`; see `read_preset`. Optimizer slots are left out.

    Raises:
        ValueError: naming what is missing.
    """
    path = directory / CONFIG
    if not path.is_file():
        raise ValueError(
            f"A TF1 release must hold {CONFIG}. Received: `{directory}` without it. Copy it beside the rest."
        )
    encoder = encoder_from_fields(read_json(path), path)
    if encoder["activation"] == "gelu":
        # The released code computes "gelu" by the tanh formula, and with it the weights were trained.
        encoder["activation"] = "gelu_approximate"
    file = directory / "vocab.txt"
    vocabulary = read_lines(file) if file.is_file() else None
    tokenizer = {
        "lowercase": _guess_lowercase(directory.resolve().name, vocabulary or []),
        "strip_accents": None,
        "special_tokens_in_text": False,
        "never_split": [],
    }
    config = {"encoder": encoder, "tokenizer": tokenizer, "preprocessor": {}, "task": None, "head": {}}
    return config, vocabulary, _read_checkpoint(directory) if load_weights else None


def _guess_lowercase(name, vocabulary):
    """The releases do not say it: as in Google's own check, the directory's name does; else the tokens do."""
    if "uncased" in name or name.startswith(("multilingual_L", "chinese_L")):
        return True
    return "cased" not in name and not is_cased(vocabulary)


def _read_checkpoint(directory):
    prefix = directory / "bert_model.ckpt"
    if not (directory / "bert_model.ckpt.index").is_file():
        found = sorted(directory.glob("*.index"))
        if len(found) != 1:
            raise ValueError(
                "A TF1 release must hold bert_model.ckpt.index, or one other checkpoint. Received: "
                f"`{directory}` with {', '.join(path.name for path in found) or 'none'}. Keep one, or load "
                "with `load_weights=False`."
            )
        prefix = found[0].with_suffix("")
    try:
        import tensorflow as tf
    except ImportError as error:
        raise ValueError(
            f"Reading the TF1 checkpoint `{prefix}` needs TensorFlow, which is not installed. Install "
            "tensorflow, or save the model as a preset where it is."
        ) from error
    try:
        reader = tf.train.load_checkpoint(str(prefix))
        names = [name for name in reader.get_variable_to_shape_map() if not _OPTIMIZER.search(name)]
        return {_hugging_face_name(name): _tensor(name, reader) for name in sorted(names)}
    except (tf.errors.OpError, ValueError, RuntimeError, IndexError) as error:
        raise ValueError(
            f"`{prefix}` must be a whole TF1 checkpoint: {error}. Fetch its .index and .data files again."
        ) from error


def _tensor(name, reader):
    tensor = reader.get_tensor(name).astype("float32")
    return tensor.T if name.endswith("/kernel") else tensor


def _hugging_face_name(name):
    for pattern, replacement in _RENAMED.items():
        name = re.sub(pattern, replacement, name)
    return name
