"""Directories and files that appear whole or not at all."""

import contextlib
import os
import pathlib
import secrets
import shutil
from collections.abc import Callable, Container, Iterator


@contextlib.contextmanager
def atomic_directory(
    path: str | os.PathLike, replaceable: Container[str] | Callable[[str], bool] = ()
) -> Iterator[pathlib.Path]:
    """Builds a directory beside `path` and renames it there once everything is on the disk.

    Whatever goes wrong in the block (an exception, a full disk, a killed process), `path` keeps what it held.
    A killed process can leave a hidden sibling `.NAME.new-*` behind; one killed between the two renames of an
    overwrite leaves the old directory as `.NAME.old-*`.

    Args:
        path: str or `os.PathLike`. The directory to write. Parents are created.
        replaceable: container of str, or callable from str to bool. Which files (relative paths, with
            `/`) may be overwritten. Defaults to none: then `path` must be absent or empty.

    Yields:
        `pathlib.Path` of the new directory, to be filled.

    Raises:
        ValueError: if `path` is a file or a mount point, or holds a file that is not `replaceable`.

    Example:
    >>> with atomic_directory("my_preset", {"vocab.txt"}) as directory:
    ...     _ = (directory / "vocab.txt").write_text("[PAD]")
    """
    target = pathlib.Path(os.path.realpath(path))  # a link to a directory stays a link
    _check_replaceable(target, replaceable)
    target.parent.mkdir(parents=True, exist_ok=True)
    new = _hidden_sibling(target, "new")
    new.mkdir()
    try:
        yield new
        _sync_tree(new)
        _check_replaceable(target, replaceable)  # the block may have taken minutes
        _swap(new, target)
        _sync(target.parent)
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise


@contextlib.contextmanager
def atomic_file(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Yields a path to write to; what is written there replaces the file `path` in one step.

    Args:
        path: str or `os.PathLike`. The file to write or to overwrite. Parents are created.

    Yields:
        `pathlib.Path` of the new file, to be created.

    Raises:
        ValueError: if `path` is a directory.

    Example:
    >>> with atomic_file("scores.json") as new:
    ...     _ = new.write_text("{}")
    """
    target = pathlib.Path(os.path.realpath(path))
    if target.is_dir():
        raise ValueError(
            f"The path of a file must not be a directory. Received: {str(path)!r}. Add a file name to it."
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    new = _hidden_sibling(target, "new")
    try:
        yield new
        _sync(new)
        os.replace(new, target)
        _sync(target.parent)
    except BaseException:
        new.unlink(missing_ok=True)
        raise


def _hidden_sibling(target, kind):
    # Beside the target, as a rename works only within one file system. Not `tempfile`: its directories are
    # private to the user, and a preset must keep the permissions that the umask gives.
    return target.with_name(f".{target.name}.{kind}-{secrets.token_hex(4)}")


def _check_replaceable(target, replaceable):
    if not target.exists():
        return
    if not target.is_dir():
        raise ValueError(
            f"The path to write to must be a directory or not exist. Received the file {str(target)!r}."
        )
    if os.path.ismount(target):
        raise ValueError(
            f"A mount point cannot be replaced in one step. Received: {str(target)!r}. Write to a directory "
            "below it."
        )
    allowed = replaceable if callable(replaceable) else replaceable.__contains__
    foreign = []
    for folder, folders, files in os.walk(target):
        links = [name for name in folders if os.path.islink(os.path.join(folder, name))]
        relative = (pathlib.Path(folder, name).relative_to(target).as_posix() for name in files + links)
        foreign.extend(name for name in relative if not allowed(name))
    if foreign:
        shown = ", ".join(sorted(foreign)[:10]) + (
            f" and {len(foreign) - 10} more" if len(foreign) > 10 else ""
        )
        raise ValueError(
            "A directory is overwritten only when nothing but what is written anew would be lost. "
            f"Received: {str(target)!r}, which holds {shown}. Write to another directory, or move these "
            "files away."
        )


def _swap(new, target):
    if not target.exists():
        os.rename(new, target)
        return
    old = _hidden_sibling(target, "old")
    os.rename(target, old)
    try:
        os.rename(new, target)
    except BaseException:
        os.rename(old, target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _sync_tree(directory):
    for folder, _, files in os.walk(directory):
        for name in files:
            _sync(os.path.join(folder, name))
        _sync(folder)


def _sync(path):
    # Without this a power cut after the rename can leave the new name with empty files.
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
