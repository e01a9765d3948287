"""An export loads and answers in the TensorFlows of servers, as their C++ does it and as an object."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from tests.choosers import EXAMPLES, ODD, make_chooser
from tests.classifiers import TEXTS, make_classifier
from tests.embedders import make_embedder
from tests.labelers import CONTEXTS, ODD_CONTEXTS, QUESTIONS, make_labeler
from tests.masked import ODD as ODD_MASKED_TEXTS
from tests.masked import TEXTS as MASKED_TEXTS
from tests.masked import assert_fillings, make_masked_lm
from tests.questions import MODELS, assert_right, expected_answers, questions_for
from tests.taggers import TEXTS as TAGGED_TEXTS
from tests.taggers import make_tagger

# TF-Text 2.12.1 is in all TF Serving before 2.20.
SERVERS = {"2.12.1": "2.12.1", "2.20.0": "2.20.1", "2.21.0": "2.21.1"}


@pytest.fixture(scope="module", params=SERVERS)
def server(request, tmp_path_factory):
    """The version of a TensorFlow, and the Python of an environment that has it.

    That is this one, or `KERAS_BERT_PYTHONS` (a directory with `2.12.1/bin/python` and the like), or is made here.
    """
    version = request.param
    if version == tf.__version__:
        return version, sys.executable
    given = os.environ.get("KERAS_BERT_PYTHONS")
    if given:
        return version, f"{given}/{version}/bin/python"
    python = sys.executable if sys.version_info[:2] == (3, 11) else shutil.which("python3.11")
    if python is None:
        pytest.skip("TF 2.12 needs Python 3.11, and there is none")
    folder = tmp_path_factory.mktemp("server") / "venv"
    subprocess.run([python, "-m", "venv", str(folder)], check=True)
    python = str(folder / "bin" / "python")
    packages = [f"tensorflow=={version}", f"tensorflow-text=={SERVERS[version]}"]
    result = subprocess.run(
        [python, "-m", "pip", "install", "-q", *packages], capture_output=True, text=True, check=False
    )
    if result.returncode:
        pytest.skip(f"TF {version} cannot be installed here: {result.stderr[-500:]}")
    return version, python


def ask(server, root, folder, questions):
    """What the export in `folder` says to the questions in that TensorFlow, the same in both ways."""
    version, python = server
    (folder / "questions.json").write_text(json.dumps(questions), encoding="utf-8")
    files = [str(folder / "questions.json"), str(folder / "answers.json")]
    command = [python, str(root / "tests" / "server_run.py"), str(folder / "1"), *files]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[-4000:]
    said = json.loads((folder / "answers.json").read_text(encoding="utf-8"))
    assert said["tensorflow"] == version
    for one, other in zip(said["session"], said["object"], strict=True):
        assert one.keys() == other.keys()
        for name, values in one.items():
            same(values, other[name])
    return said["session"]


def same(values, others):
    if isinstance(values, list):
        assert len(values) == len(others)
        for value, other in zip(values, others, strict=True):
            same(value, other)
    else:
        assert values == (pytest.approx(others, abs=1e-6) if isinstance(others, float) else others)


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_a_server_gives_the_same_answers(server, root, tmp_path, name):
    classifier = make_classifier(**MODELS[name])
    classifier.export(tmp_path / "1")
    answers = ask(server, root, tmp_path, questions_for(name))
    for question, found in zip(questions_for(name), answers, strict=True):
        expected = expected_answers(classifier, question)
        assert_right(classifier, found, expected, atol=1e-4)
        found = classifier.activate(np.reshape(found["logits"], expected.shape))
        print(f"{name}, {len(expected)} texts: differs by {np.abs(found - expected).max(initial=0):.1e}")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*questions are longer")
def test_a_server_answers_questions(server, root, tmp_path):
    labeler = make_labeler(no_answer_threshold=0.0)
    labeler.export(tmp_path / "1", n_best=2)
    groups = [(QUESTIONS, CONTEXTS), (["a"] * len(ODD_CONTEXTS), ODD_CONTEXTS), ([], [])]
    questions = [{"question": questions, "context": contexts} for questions, contexts in groups]
    for group, found in zip(groups, ask(server, root, tmp_path, questions), strict=True):
        records = labeler.predict(group, n_best=2, verbose=0) if group[0] else []
        for name in ("answer", "start", "end"):
            assert found[name] == [record[name] for record in records]
        for name in ("score", "no_answer_score"):
            np.testing.assert_allclose(found[name], [record[name] for record in records], atol=1e-4)


@pytest.mark.slow
def test_a_server_finds_entities(server, root, tmp_path):
    tagger = make_tagger()
    tagger.export(tmp_path / "1")
    groups = [TAGGED_TEXTS, TAGGED_TEXTS[:1], []]
    answers = ask(server, root, tmp_path, [{"text": texts} for texts in groups])
    for texts, found in zip(groups, answers, strict=True):
        records = tagger.predict(texts, verbose=0) if texts else []
        assert found["num_entities"] == [len(entities) for entities in records]
        for row, entities in enumerate(records):
            for name in ("entity", "label", "start", "end"):
                key = name if name == "entity" else f"entity_{name}"
                assert found[key][row][: len(entities)] == [entity[name] for entity in entities]
            scores = [entity["score"] for entity in entities]
            np.testing.assert_allclose(found["entity_score"][row][: len(entities)], scores, atol=1e-4)


@pytest.mark.slow
def test_a_server_fills_masks(server, root, tmp_path):
    masked_lm = make_masked_lm()
    masked_lm.export(tmp_path / "1", top_k=3)
    groups = [MASKED_TEXTS, ["none", MASKED_TEXTS[0]], ["none"], [], ODD_MASKED_TEXTS]
    answers = ask(server, root, tmp_path, [{"text": texts} for texts in groups])
    for texts, found in zip(groups[:-1], answers[:-1], strict=True):
        filled = iter(masked_lm.predict([text for text in texts if "[MASK]" in text], top_k=3, verbose=0))
        assert_fillings(found, [next(filled) if "[MASK]" in text else [] for text in texts], atol=1e-4)
    assert answers[-1]["num_masks"] == [0, 0, 12, 1, 0, 0, 1]


@pytest.mark.slow
@pytest.mark.parametrize("pooling", ["mean", "cls", "max"])
def test_a_server_embeds_texts(server, root, tmp_path, pooling):
    embedder = make_embedder(pooling)
    embedder.export(tmp_path / "1")
    groups = [TEXTS, ["", "FINE\0 bore", "\u4e2d\u6587 Film", "a film " * 1000], TEXTS[3:4], []]
    answers = ask(server, root, tmp_path, [{"text": texts} for texts in groups])
    for texts, found in zip(groups, answers, strict=True):
        assert set(found) == {"embedding"}
        expected = embedder.predict(texts, verbose=0)
        np.testing.assert_allclose(np.reshape(found["embedding"], expected.shape), expected, atol=1e-4)


@pytest.mark.slow
def test_a_server_chooses(server, root, tmp_path):
    chooser = make_chooser()
    chooser.export(tmp_path / "1")
    odd = [text for text in ODD if isinstance(text, str)]
    groups = [EXAMPLES, tuple(part[:1] for part in EXAMPLES), (odd, odd[::-1], [[text, "a b", ""] for text in odd])]
    questions = [dict(zip(("context", "question", "choices"), group, strict=True)) for group in groups]
    for group, found in zip(groups, ask(server, root, tmp_path, questions), strict=True):
        scores = chooser.predict(group, verbose=0)
        np.testing.assert_allclose(found["probabilities"], scores, atol=1e-4)
        assert found["choice"] == np.argmax(found["probabilities"], axis=1).tolist()
        assert found["answer"] == [row[choice] for row, choice in zip(group[2], found["choice"], strict=True)]
        print(f"{len(scores)} questions: differs by {np.abs(found['probabilities'] - scores).max():.1e}")
