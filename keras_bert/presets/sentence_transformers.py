"""The files that tell how sentence-transformers makes one vector of a text, in both directions."""

import pathlib

from keras_bert.presets.files import read_json, read_json_list

MODULES = "modules.json"
TRANSFORMER = "sentence_bert_config.json"
MODEL = "config_sentence_transformers.json"
POOLING = "1_Pooling/config.json"
FILES = (MODULES, TRANSFORMER, POOLING)

# The field that a file of theirs sets to true: the pooling as their newer files and we name it.
_MODES = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
_OURS = ("cls", "mean", "max")


def read_modules(directory: pathlib.Path) -> list[tuple[str, dict]] | None:
    """Reads what a directory of sentence-transformers says about its modules, as it stands there.

    Args:
        directory: `pathlib.Path`.

    Returns:
        List of the modules' class names and settings; None without `modules.json`.

    Raises:
        ValueError: files that cannot be read.
    """
    if not (directory / MODULES).is_file():
        return None
    modules = []
    for place, entry in enumerate(read_json_list(directory / MODULES)):
        name = str(entry.get("type", "")).rpartition(".")[2]
        folder = pathlib.PurePosixPath(str(entry.get("path", "")))
        if folder.is_absolute() or ".." in folder.parts:
            raise ValueError(
                f"The modules must lie in `{directory}`. Received: {str(folder)!r} in {MODULES}. Fetch it again."
            )
        path = directory / folder / (TRANSFORMER if name == "Transformer" else "config.json")
        settings = read_json(path) if path.is_file() else {}
        if place == 0:
            settings = {**_longest_text(directory), **settings, **_default_prompt(directory)}
        modules.append((name, settings))
    return modules


def embedding_settings(modules: list[tuple[str, dict]], pooling: str | None = None) -> dict:
    """Says in our words what the modules do.

    Args:
        modules: list, as `read_modules` gives it.
        pooling: str, optional. In the place of theirs; what else they do is then left out.

    Returns:
        dict of `pooling`, `normalize`, `sequence_length` (None where it is not said), `lowercase` (whether texts are
        lower-cased before they are tokenized) and `prompt` (what is put before every text).

    Raises:
        ValueError: modules that do something else than pool by one of "mean", "cls" and "max", and normalize.
    """
    names = [name for name, _ in modules]
    if pooling is None:
        pooling = _pooling(names, modules)
    transformer = modules[0][1] if names[:1] == ["Transformer"] else {}
    return {
        "pooling": pooling,
        "normalize": "Normalize" in names,
        "sequence_length": transformer.get("max_seq_length"),
        "lowercase": bool(transformer.get("do_lower_case")),
        "prompt": transformer.get("prompt", ""),
    }


def embedding_files(pooling: str, normalize: bool, hidden_dim: int, sequence_length: int) -> dict[str, dict | list]:
    """Gives the files from which sentence-transformers, of any version, makes the same vectors.

    Args:
        pooling: str. "mean", "cls" or "max".
        normalize: bool.
        hidden_dim: int.
        sequence_length: int. Longest row.

    Returns:
        dict of path to content.
    """
    names = ["Transformer", "Pooling", *(["Normalize"] if normalize else [])]
    modules = [
        {
            "idx": place,
            "name": str(place),
            "path": f"{place}_{name}" if place else "",
            "type": f"sentence_transformers.models.{name}",
        }
        for place, name in enumerate(names)
    ]
    modes = {field: mode == pooling for field, mode in _MODES.items()}
    return {
        MODULES: modules,
        TRANSFORMER: {"max_seq_length": sequence_length, "do_lower_case": False},
        POOLING: {"word_embedding_dimension": hidden_dim, **modes},
    }


def _pooling(names, modules):
    if names not in (["Transformer", "Pooling"], ["Transformer", "Pooling", "Normalize"]):
        raise ValueError(
            "The modules must be Transformer, Pooling and perhaps Normalize. "
            f"Received: {', '.join(names) or 'none'} in {MODULES}. No other is built; `pooling='mean'`, for example, "
            "takes the encoder without them."
        )
    mode = _pooling_mode(modules[1][1])
    if mode not in _OURS:
        raise ValueError(
            f"The pooling must be one of {', '.join(_OURS)}. Received: {mode} in {POOLING}. No other is built; "
            "`pooling='mean'`, for example, is used in its place."
        )
    return mode


def _pooling_mode(settings):
    """The one mode, or what there is in its place."""
    modes = settings.get("pooling_mode")
    if modes is None:
        modes = [mode for field, mode in _MODES.items() if settings.get(field)] or ["mean"]
    modes = [modes] if isinstance(modes, str) else list(modes)
    return modes[0] if len(modes) == 1 else " and ".join(map(str, modes))


def _longest_text(directory):
    """Since version 6 it stands beside the tokenizer only."""
    path = directory / "tokenizer_config.json"
    longest = read_json(path).get("model_max_length") if path.is_file() else None
    return {"max_seq_length": longest} if longest else {}


def _default_prompt(directory):
    settings = read_json(directory / MODEL) if (directory / MODEL).is_file() else {}
    prompt = (settings.get("prompts") or {}).get(settings.get("default_prompt_name"))
    return {"prompt": prompt} if prompt else {}
