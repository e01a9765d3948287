"""The files of a preset, read with errors that name the file and say what to do."""

import json
import pathlib
from collections.abc import Iterable

import numpy as np
import safetensors
from safetensors.numpy import save_file


def read_json(path: pathlib.Path) -> dict:
    """Returns the object in a JSON file.

    Args:
        path: `pathlib.Path`.

    Raises:
        ValueError: if the file is not JSON or not an object.
    """
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")).items())
    except (ValueError, AttributeError) as error:  # not UTF-8, not JSON; no object
        raise ValueError(f"`{path}` must be a JSON object: {error}. Fetch or write it again.") from error


def read_json_list(path: pathlib.Path) -> list[dict]:
    """Returns the objects of a JSON file that holds a list of them.

    Args:
        path: `pathlib.Path`.

    Raises:
        ValueError: if the file is not JSON or not a list of objects.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content, list):
            raise ValueError(f"it holds a {type(content).__name__}")
        return [dict(entry.items()) for entry in content]
    except (ValueError, AttributeError) as error:
        raise ValueError(f"`{path}` must be a JSON list of objects: {error}. Fetch or write it again.") from error


def write_json(path: pathlib.Path, content: dict | list) -> None:
    """Writes `content` as JSON that people can read and compare."""
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read_lines(path: pathlib.Path) -> list[str]:
    r"""Returns the lines of a vocabulary file.

    Only `\n` ends a line, and `\r\n` as editors on Windows write it: released vocabularies hold tokens
    such as U+2028 that `str.splitlines` takes for line ends, after which every later id would be wrong. Empty
    lines at the end are no tokens.

    Args:
        path: `pathlib.Path`.

    Returns:
        List of str.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"`{path}` must be UTF-8: {error}. Save it in that encoding.") from error
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    while lines and not lines[-1]:
        lines.pop()
    return lines


def read_safetensors(
    path: pathlib.Path, names: Iterable[str] | None = None, skip: tuple[str, ...] = ()
) -> dict[str, np.ndarray]:
    """Returns the tensors of a safetensors file as float32 arrays.

    Args:
        path: `pathlib.Path`.
        names: iterable of str, the tensors to read. Defaults to all.
        skip: tuple of str. Tensors whose names end so are left out.

    Returns:
        Dict from name to float32 array. float16, bfloat16 and float64 are converted.

    Raises:
        ValueError: if the file is absent, damaged or holds integer (quantized) weights.
    """
    if not path.is_file():
        raise ValueError(
            f"The weight file `{path}` must exist. Fetch it again, or copy it beside the others."
        )
    tensors = {}
    try:
        with safetensors.safe_open(path, framework="np") as file:
            for name in file.keys() if names is None else names:
                if name.endswith(tuple(skip)):
                    continue
                tensor = file.get_tensor(name)
                if tensor.dtype.kind in "iub":
                    raise ValueError(
                        f"Weights must be floating point. Received: `{name}` of {tensor.dtype} in `{path}`. "
                        "Quantized checkpoints are not read; use the model they were made from."
                    )
                tensors[name] = tensor.astype(np.float32)
    except safetensors.SafetensorError as error:
        raise ValueError(
            f"`{path}` must be a whole safetensors file: {error}. It is cut off, a git-lfs pointer, or "
            "another format; fetch it again."
        ) from error
    return tensors


def write_safetensors(path: pathlib.Path, tensors: dict[str, np.ndarray]) -> None:
    """Writes tensors as PyTorch's libraries read them.

    Args:
        path: `pathlib.Path`.
        tensors: dict from name to contiguous array.
    """
    path.touch()
    mode = path.stat().st_mode  # as the umask gives it: safetensors makes its files private to the user
    # transformers asks for this note of which framework's shapes these are
    save_file(tensors, path, metadata={"format": "pt"})
    path.chmod(mode)
