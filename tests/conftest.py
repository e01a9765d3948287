"""What every test needs: a quiet TensorFlow on the CPU, and the folder of real data and models beside the project."""

import os
import pathlib

# Before anything imports TensorFlow. Set CUDA_VISIBLE_DEVICES yourself to run the tests on a GPU.
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"


def _folder(name):
    folder = SHARED / name
    if not folder.is_dir():
        pytest.skip(f"needs real {name}: the folder `../shared/{name}` beside the project is not there")
    return folder


@pytest.fixture(scope="session")
def root():
    """The project's folder."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data():
    """The folder of real data sets; skips where it is absent."""
    return _folder("data")


@pytest.fixture(scope="session")
def shared_models():
    """The folder of real models; skips where it is absent."""
    return _folder("models")
