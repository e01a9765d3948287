"""An export loads and answers in the TensorFlow of the oldest server, the way its C++ does it."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from tests.classifiers import make_classifier
from tests.questions import MODELS, assert_right, expected_answers, questions_for


@pytest.fixture(scope="module")
def old_python(tmp_path_factory):
    """The Python of an environment with TF 2.12: `KERAS_BERT_OLD_PYTHON`, or one that is made here."""
    given = os.environ.get("KERAS_BERT_OLD_PYTHON")
    if given:
        return given
    python = sys.executable if sys.version_info[:2] == (3, 11) else shutil.which("python3.11")
    if python is None:
        pytest.skip("TF 2.12 needs Python 3.11, and there is none")
    folder = tmp_path_factory.mktemp("old") / "venv"
    subprocess.run([python, "-m", "venv", str(folder)], check=True)
    python = str(folder / "bin" / "python")
    packages = ["tensorflow==2.12.1", "tensorflow-text==2.12.1"]
    result = subprocess.run(
        [python, "-m", "pip", "install", "-q", *packages], capture_output=True, text=True, check=False
    )
    if result.returncode:
        pytest.skip(f"TF 2.12 cannot be installed here: {result.stderr[-500:]}")
    return python


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_the_oldest_server_gives_the_same_answers(old_python, root, tmp_path, name):
    classifier = make_classifier(**MODELS[name])
    classifier.export(tmp_path / "1")
    (tmp_path / "questions.json").write_text(json.dumps(questions_for(name)), encoding="utf-8")
    files = [str(tmp_path / "questions.json"), str(tmp_path / "answers.json")]
    command = [old_python, str(root / "tests" / "old_server.py"), str(tmp_path / "1"), *files]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[-4000:]
    said = json.loads((tmp_path / "answers.json").read_text(encoding="utf-8"))
    assert said["tensorflow"] == "2.12.1"
    for question, found in zip(questions_for(name), said["answers"], strict=True):
        expected = expected_answers(classifier, question)
        assert_right(classifier, found, expected, atol=1e-4)
        found = classifier.activate(np.reshape(found["logits"], expected.shape))
        print(f"{name}, {len(expected)} texts: differs by {np.abs(found - expected).max(initial=0):.1e}")
