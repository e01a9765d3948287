"""The wheel holds the package and its data and nothing else, and asks pip for what it needs and nothing else."""

import email
import re
import shutil
import subprocess
import sys
import zipfile

import pytest

import keras_bert

RUNTIME = {
    "tensorflow": ">=2.20,<2.22",
    "tensorflow-text": ">=2.20,<2.22",
    "keras": ">=3.15,<3.16",
    "keras-nlp": ">=0.32",
    "numpy": ">=1.26",
    "safetensors": ">=0.5",
    "huggingface-hub": ">=1.4",
    "tqdm": "",
    "matplotlib": "",
}
EXTRAS = {"test", "oracles", "garden", "tfds", "vocabulary", "beam", "serving"}


@pytest.fixture(scope="module")
def wheel(root, tmp_path_factory):
    """The wheel, built from a copy, so that nothing is left in the project's folder."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    ignored = shutil.ignore_patterns(".*", "__pycache__", "build", "*.egg-info")
    shutil.copytree(root, source, ignore=ignored)
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        str(source),
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(folder),
    ]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as file:
        yield file


@pytest.fixture(scope="module")
def metadata(wheel):
    name = next(name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    return email.message_from_string(wheel.read(name).decode())


def requirements(metadata, extra=None):
    """Name and sorted bounds of each requirement, of the package or of one of its extras."""
    found = {}
    for line in metadata.get_all("Requires-Dist"):
        requirement, _, marker = line.partition(";")
        if (re.search(r"extra == ['\"](.+?)['\"]", marker) or [None, None])[1] == extra:
            name, bounds = re.fullmatch(r"([\w.-]+)(.*)", requirement.replace(" ", "")).groups()
            found[name.lower().replace("_", "-")] = sorted(bounds.split(","))
    return found


def test_the_wheel_holds_the_package_and_nothing_else(wheel, root):
    held = {name for name in wheel.namelist() if ".dist-info/" not in name}
    package = {
        str(file.relative_to(root))
        for pattern in ("*.py", "py.typed", "serving/*.txt", "presets/*/*")
        for file in (root / "keras_bert").rglob(pattern)
        if file.is_file() and not {"__pycache__", ".ruff_cache"} & set(file.parts)
    }
    assert held == package
    assert "keras_bert/py.typed" in held


def test_every_folder_with_code_is_a_package(root):
    folders = {file.parent for file in (root / "keras_bert").rglob("*.py")}
    assert [folder for folder in folders if not (folder / "__init__.py").is_file()] == []


def test_the_wheel_asks_for_what_it_needs_and_nothing_else(metadata):
    assert requirements(metadata) == {name: sorted(bounds.split(",")) for name, bounds in RUNTIME.items()}


def test_the_wheel_says_what_it_is(wheel, metadata):
    assert metadata["Name"] == "keras-bert-tensorflow"
    assert metadata["Version"] == keras_bert.__version__
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["License"] == "Apache-2.0" or metadata["License-Expression"] == "Apache-2.0"
    assert any(name.endswith("LICENSE") for name in wheel.namelist())


def test_extras(metadata):
    assert set(metadata.get_all("Provides-Extra")) == EXTRAS
    # Exactly this, or an index may answer with a build for another machine.
    assert requirements(metadata, "oracles")["torch"] == ["==2.13.0"]


def test_the_pinned_versions_are_all_exact_and_within_the_bounds(root, metadata):
    lines = (root / "requirements.txt").read_text(encoding="utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    extras = (name for extra in ("test", "garden", "serving") for name in requirements(metadata, extra))
    assert set(pins) == {*RUNTIME, *extras}

    def number(version):
        return [int(part) for part in version.split(".")]

    for name, bounds in requirements(metadata).items():
        for bound in filter(None, bounds):
            limit = number(bound.lstrip("<>="))
            within = number(pins[name]) >= limit if bound.startswith(">=") else number(pins[name]) < limit
            assert within, f"{name}=={pins[name]} is outside {bound}"
