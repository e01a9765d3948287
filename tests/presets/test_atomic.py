"""A directory or file appears whole, or what was there stays."""

import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from keras_bert.presets import atomic, files
from keras_bert.presets.atomic import atomic_directory, atomic_file
from keras_bert.presets.write import write_preset


def _content(directory):
    return {path.relative_to(directory).as_posix(): path.read_bytes() for path in directory.rglob("*.*")}


def test_parents_are_created_and_the_umask_is_kept(tmp_path):
    with atomic_directory(tmp_path / "a" / "b") as directory:
        (directory / "x").write_text("1")
        assert not (tmp_path / "a" / "b").exists()
    (tmp_path / "plain").mkdir()
    assert (tmp_path / "a" / "b" / "x").read_text() == "1"
    assert (tmp_path / "a" / "b").stat().st_mode == (tmp_path / "plain").stat().st_mode
    assert os.listdir(tmp_path / "a") == ["b"]


def test_an_overwrite_leaves_nothing_of_the_old(tmp_path):
    for names in (["x", "y"], ["x"]):
        with atomic_directory(tmp_path / "d", {"x", "y"}) as directory:
            for name in names:
                (directory / name).write_text(name * len(names))
    assert os.listdir(tmp_path) == ["d"]
    assert os.listdir(tmp_path / "d") == ["x"] and (tmp_path / "d" / "x").read_text() == "x"


def test_an_empty_directory_is_taken(tmp_path):
    (tmp_path / "d").mkdir()
    with atomic_directory(tmp_path / "d") as directory:
        (directory / "x").write_text("1")
    assert os.listdir(tmp_path / "d") == ["x"]


def test_foreign_files_are_named_and_kept(tmp_path):
    (tmp_path / "d" / "sub").mkdir(parents=True)
    for name in ("x", "sub/thesis.tex", "photo.png"):
        (tmp_path / "d" / name).write_text(name)
    message = "which holds photo.png, sub/thesis.tex. Write to another"
    with pytest.raises(ValueError, match=message), atomic_directory(tmp_path / "d", {"x"}):
        pytest.fail("the block must not run")
    assert (tmp_path / "d" / "sub" / "thesis.tex").exists() and os.listdir(tmp_path) == ["d"]


def test_replaceable_may_be_a_function(tmp_path):
    (tmp_path / "d" / "sub").mkdir(parents=True)
    (tmp_path / "d" / "sub" / "x").write_text("old")
    with atomic_directory(tmp_path / "d", lambda name: name.startswith("sub/")) as directory:
        (directory / "y").write_text("new")
    assert os.listdir(tmp_path / "d") == ["y"]


def test_a_file_that_comes_during_the_write_is_kept(tmp_path):
    message = "which holds notes.txt"
    with pytest.raises(ValueError, match=message), atomic_directory(tmp_path / "d") as directory:
        (directory / "x").write_text("1")
        (tmp_path / "d").mkdir()
        (tmp_path / "d" / "notes.txt").write_text("2")
    assert os.listdir(tmp_path / "d") == ["notes.txt"] and os.listdir(tmp_path) == ["d"]


def test_a_link_to_a_directory_stays_a_link(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with atomic_directory(tmp_path / "link") as directory:
        (directory / "x").write_text("1")
    assert (tmp_path / "link").is_symlink() and os.listdir(tmp_path / "real") == ["x"]


def test_a_file_is_no_directory_and_a_directory_no_file(tmp_path):
    (tmp_path / "file").write_text("1")
    message = "must be a directory or not exist. Received the file"
    with pytest.raises(ValueError, match=message), atomic_directory(tmp_path / "file"):
        pass
    with pytest.raises(ValueError, match="must not be a directory"), atomic_file(tmp_path):
        pass


def test_a_mount_point_is_refused_before_the_work(tmp_path, monkeypatch):
    monkeypatch.setattr(atomic.os.path, "ismount", lambda path: True)
    (tmp_path / "d").mkdir()
    message = "mount point .* Write to a directory below it"
    with pytest.raises(ValueError, match=message), atomic_directory(tmp_path / "d"):
        pytest.fail("the block must not run")


def test_a_failed_second_rename_brings_the_old_back(tmp_path, monkeypatch):
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "x").write_text("old")
    rename = os.rename

    def failing(source, target):
        if ".new-" in str(source):
            raise OSError("no")
        rename(source, target)

    monkeypatch.setattr(atomic.os, "rename", failing)
    with pytest.raises(OSError, match="no"), atomic_directory(tmp_path / "d", {"x"}) as directory:
        (directory / "x").write_text("new")
    assert (tmp_path / "d" / "x").read_text() == "old" and os.listdir(tmp_path) == ["d"]


def test_a_full_disk_leaves_the_old_preset(preset, tmp_path, config, vocabulary, weights, monkeypatch):
    before = _content(preset)

    def half_written(tensors, path, metadata):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "save_file", half_written)
    with pytest.raises(OSError, match="No space left"):
        write_preset(preset, config, vocabulary[::-1], weights)
    assert _content(preset) == before
    with pytest.raises(OSError, match="No space left"):
        write_preset(tmp_path / "fresh", config, vocabulary, weights)
    assert os.listdir(tmp_path) == ["preset"]


_KILLED = """
import sys, time
from keras_bert.presets import files, write
from keras_bert.presets.read import read_preset
def stuck(tensors, path, metadata):
    path.write_bytes(b"half")
    print("writing", flush=True)
    time.sleep(60)
files.save_file = stuck
write.write_preset(sys.argv[1], *read_preset(sys.argv[1]))
"""


def test_a_killed_process_leaves_the_old_preset(preset):
    before = _content(preset)
    root = pathlib.Path(__file__).resolve().parents[2]
    process = subprocess.Popen(
        [sys.executable, "-c", _KILLED, str(preset)], cwd=root, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "writing\n"
    time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert _content(preset) == before


def test_a_file_is_replaced_at_the_end_only(tmp_path):
    path = tmp_path / "deep" / "file.json"
    with atomic_file(path) as new:
        new.write_text("old")
    with pytest.raises(KeyboardInterrupt), atomic_file(path) as new:
        new.write_text("new")
        raise KeyboardInterrupt
    assert path.read_text() == "old" and os.listdir(path.parent) == ["file.json"]
    with atomic_file(path) as new:
        new.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new" and os.listdir(path.parent) == ["file.json"]
