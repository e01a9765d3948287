"""Fetching a preset from the Hugging Face Hub."""

import pathlib
import re

# The hub's matcher lets `*` cross folders, so every file but the shards is named in full.
_FILES = [
    "config.json",
    "vocab.txt",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "modules.json",
    "sentence_bert_config.json",
    "config_sentence_transformers.json",
    "1_Pooling/config.json",
]
_WEIGHTS = ["model.safetensors", "model.safetensors.index.json", "model-?????-of-?????.safetensors"]


def fetch_hugging_face(preset: str, load_weights: bool = True) -> pathlib.Path:
    """Fetches what a preset consists of into Hugging Face's cache, but for what is there already.

    Without a network the cached copy is used, and `HF_HUB_OFFLINE=1` asks for it.

    Args:
        preset: str, `"hf://owner/repo"` or `"hf://owner/repo@revision"`.
        load_weights: bool. Whether to fetch the weights. Defaults to True.

    Returns:
        `pathlib.Path` of the directory. Files that could run code (pickles, Python) are never fetched.

    Raises:
        ValueError: if the address is malformed, or the repository can be neither reached nor found in the
            cache.
    """
    match = re.fullmatch(r"hf://([\w.-]+(?:/[\w.-]+)?)(?:@(.+))?", preset)
    if not match:
        raise ValueError(
            f"The address must be 'hf://owner/repo' or 'hf://owner/repo@revision'. Received: {preset!r}."
        )
    try:
        import huggingface_hub
    except ImportError as error:
        raise ValueError(
            f"Fetching {preset!r} needs huggingface_hub, which is not installed. `pip install "
            "huggingface_hub`, or give a directory."
        ) from error
    repository, revision = match.groups()
    try:
        folder = huggingface_hub.snapshot_download(
            repository, revision=revision, allow_patterns=_FILES + (_WEIGHTS if load_weights else [])
        )
    except (OSError, ValueError) as error:  # the hub's own errors are one or the other
        raise ValueError(
            f"{preset!r} could not be fetched: {error} Check the name, the revision, the network, and for a "
            "private repository the login (`hf auth login`); or give a directory."
        ) from error
    return pathlib.Path(folder)
