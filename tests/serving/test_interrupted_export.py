"""Exports that are killed, or run out of disk: a server that watches the folder never sees half a model."""

import random
import signal
import subprocess
import sys
import time

import pytest

EXPORTS = """
import sys
from tests.classifiers import make_classifier
classifier = make_classifier(num_layers=1)
print("ready", flush=True)
for version in range(int(sys.argv[2]), int(sys.argv[2]) + int(sys.argv[3])):
    classifier.export(f"{sys.argv[1]}/{version}")
"""
LIMITED = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"
PARTS = ("saved_model.pb", "model_card.json", "variables/variables.index", "assets.extra/batching_parameters.txt")


def start(root, code, folder, first, count):
    command = [sys.executable, "-c", code, str(folder), str(first), str(count)]
    process = subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    return process


def assert_whole(folder):
    """What a server would find: only directories that are numbers."""
    versions = [path for path in folder.iterdir() if path.name.isdecimal()]
    for version in versions:
        assert [part for part in PARTS if not (version / part).is_file()] == []
    return {version.name for version in versions}


def test_a_full_disk_leaves_the_older_version_alone(root, tmp_path):
    process = start(root, EXPORTS, tmp_path, 1, 1)
    assert process.wait() == 0
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    # No file may grow over 20 kB: every write behind that fails, as on a disk that is full.
    process = start(root, LIMITED + EXPORTS, tmp_path, 1, 2)
    _, said = process.communicate()
    assert process.returncode != 0
    assert "File too large" in said or process.returncode == -signal.SIGXFSZ
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


@pytest.mark.slow
def test_a_killed_export_never_shows_half_a_model(root, tmp_path):
    draw, seen, cut_short = random.Random(0), set(), 0
    for place in range(20):
        process = start(root, EXPORTS, tmp_path, 1000 * place, 1000)
        time.sleep(draw.uniform(0.2, 4.0))
        process.kill()
        process.wait()
        process.stdout.close(), process.stderr.close()
        cut_short += any(path.name.startswith(".") for path in tmp_path.iterdir())
        seen |= assert_whole(tmp_path)
    assert seen
    assert cut_short  # else no kill came while a model was being written
