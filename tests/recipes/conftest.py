"""The recipes are scripts: their folder is on the path when one runs, and so in their tests."""

import pathlib
import sys

import pytest

RECIPES = pathlib.Path(__file__).parents[2] / "recipes"
sys.path.insert(0, str(RECIPES))


@pytest.fixture
def write(tmp_path):
    """Writes text or bytes to a new file and returns its path as a string."""

    def write_file(name, content):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
        return str(path)

    return write_file
