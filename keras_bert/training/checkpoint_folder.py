"""The folder of a training's checkpoints: which are whole, and what in it may be deleted."""

import hashlib
import json
import os
import re
import secrets
import shutil

import tensorflow as tf

STATE = "state.json"
VARIABLES = "variables"
_NAME = re.compile(r"step-\d{9}")


def name_of(step: int) -> str:
    """Names the checkpoint of a step."""
    return f"step-{step:09d}"


def checked_folder(folder: str | os.PathLike) -> str:
    """Refuses what cannot be the path of a folder of checkpoints.

    Args:
        folder: str or path.

    Returns:
        str.

    Raises:
        ValueError: it is no path, is empty, or has a letter that TensorFlow takes for a pattern.
    """
    path = os.fspath(folder) if isinstance(folder, (str, os.PathLike)) else None
    if not isinstance(path, str) or not path:
        raise ValueError(f"A folder of checkpoints must be a path. Received: {folder!r}. Use 'run', for example.")
    if set(path) & set("*?[]\\"):
        raise ValueError(
            f"TensorFlow reads no checkpoint whose path holds one of * ? [ ] \\. Received: {path!r}. Take another name."
        )
    return path


def check_writable(folder: str, size: int) -> None:
    """Proves, before anything is computed, that a checkpoint can be written.

    Args:
        folder: str.
        size: int. Bytes of a checkpoint.

    Raises:
        ValueError: it cannot.
    """
    probe = tf.io.gfile.join(folder, f".probe-{secrets.token_hex(4)}")
    try:
        tf.io.gfile.makedirs(folder)
        with tf.io.gfile.GFile(probe, "w") as file:
            file.write("a")
        tf.io.gfile.remove(probe)
        # Of a bucket (gs://...) nobody knows how much it holds.
        free = shutil.disk_usage(folder).free if os.path.isdir(folder) else size
    except (tf.errors.OpError, OSError) as error:
        raise ValueError(
            f"A training that is saved needs a folder that can be written to. Received: {folder!r} "
            f"({str(error).splitlines()[0]:.120}). Take another one."
        ) from error
    if free < size:
        raise ValueError(
            f"A training that is saved needs room for a checkpoint, {size / 1e6:,.1f} MB here. Received: {folder!r}, "
            f"where {free / 1e6:,.1f} MB are free. Make room, or take another folder."
        )


def whole_checkpoints(folder: str, deletes: bool) -> list[str]:
    """Lists the checkpoints that are whole, the newest first.

    Args:
        folder: str. It need not exist.
        deletes: bool. Whether to delete those that a kill has left unfinished.

    Returns:
        List of names.
    """
    if not tf.io.gfile.isdir(folder):
        return []
    found = []
    for entry in tf.io.gfile.listdir(folder):
        name = entry.rstrip("/")
        inside = tf.io.gfile.join(folder, name)
        if not _NAME.fullmatch(name) or not tf.io.gfile.isdir(inside):
            continue
        if tf.io.gfile.exists(tf.io.gfile.join(inside, STATE)):
            found.append(name)
        # What a user has put there stays.
        elif deletes and all(part.startswith((VARIABLES, f".{STATE}")) for part in tf.io.gfile.listdir(inside)):
            remove(inside)
    return sorted(found, reverse=True)


def remove(folder: str) -> None:
    """Deletes a folder; of a link only the link."""
    if os.path.islink(folder):
        os.unlink(folder)
    else:
        tf.io.gfile.rmtree(folder)


def write_state(folder: str, state: dict) -> None:
    """Writes `state.json`, whole or not at all, with its checksum.

    Args:
        folder: str. The checkpoint's.
        state: dict of JSON values.
    """
    new = tf.io.gfile.join(folder, f".{STATE}.new")
    with tf.io.gfile.GFile(new, "w") as file:
        file.write(json.dumps(state | {"sha256": _checksum(state)}))
    tf.io.gfile.rename(new, tf.io.gfile.join(folder, STATE), overwrite=True)


def read_state(folder: str) -> dict:
    """Reads `state.json`.

    Args:
        folder: str. The checkpoint's.

    Returns:
        dict.

    Raises:
        ValueError: it is not what was written.
    """
    with tf.io.gfile.GFile(tf.io.gfile.join(folder, STATE)) as file:
        state = json.loads(file.read())
    checksum = state.pop("sha256", None) if isinstance(state, dict) else None
    if checksum is None or checksum != _checksum(state):
        raise ValueError(f"{STATE} is not what was written")
    return state


def _checksum(state):
    return hashlib.sha256(json.dumps(state).encode()).hexdigest()
