"""SavedModels: strings in, answers out, the same as `predict`, in a process that knows nothing of keras_bert."""

import json
import os
import subprocess
import sys

import pytest
import tensorflow as tf

from tests.classifiers import make_classifier
from tests.questions import MODELS, assert_right, expected_answers, questions_for

# Answers questions with TensorFlow and TF-Text alone; says what is not to be asked.
FRESH_PROCESS = """
import json, sys
import tensorflow as tf, tensorflow_text
models, questions = json.loads(sys.argv[1])
answers = []
for model, asked in zip(models, questions):
    serve = tf.saved_model.load(model).signatures["serving_default"]
    for question in asked:
        found = serve(**{name: tf.constant(texts, tf.string) for name, texts in question.items()})
        answers.append({name: tensor.numpy().tolist() for name, tensor in found.items()})
    _, inputs = serve.structured_input_signature
    answers[-1]["signature"] = {name: str(spec.shape) + spec.dtype.name for name, spec in inputs.items()}
    try:
        serve(**{name: tf.constant("a film") for name in inputs})
        answers[-1]["scalar"] = "answered"
    except Exception as error:
        answers[-1]["scalar"] = str(error)
assert not [name for name in sys.modules if name.startswith("keras_bert")]
plain = lambda value: value.decode() if isinstance(value, bytes) else value
print(json.dumps(answers, default=plain))
"""


@pytest.fixture(scope="module")
def classifiers():
    return {name: make_classifier(**settings) for name, settings in MODELS.items()}


@pytest.fixture(scope="module")
def exported(classifiers, tmp_path_factory):
    folder = tmp_path_factory.mktemp("serving")
    for name, classifier in classifiers.items():
        classifier.export(folder / name / "1")
    return folder


@pytest.fixture(scope="module")
def answers(exported):
    """The answers of a fresh process to the questions of each model."""
    models = [str(exported / name / "1") for name in MODELS]
    question = json.dumps([models, [questions_for(name) for name in MODELS]])
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    command = [sys.executable, "-c", FRESH_PROCESS, question]
    result = subprocess.run(
        command, env=environment, cwd=exported, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr[-4000:]
    found = json.loads(result.stdout.splitlines()[-1])
    return {name: found[4 * place : 4 * place + 4] for place, name in enumerate(MODELS)}


@pytest.mark.parametrize("name", MODELS)
def test_answers_in_a_fresh_process_are_the_predictions(answers, classifiers, name):
    for question, found in zip(questions_for(name), answers[name], strict=True):
        found = {key: value for key, value in found.items() if key not in ("signature", "scalar")}
        assert_right(classifiers[name], found, expected_answers(classifiers[name], question), atol=1e-5)


def test_several_labels_are_none_or_one_or_more(answers):
    """Else the test above would show little."""
    counts = {
        len(label.split("|")) if label else 0 for found in answers["multi_label"] for label in found["label"]
    }
    assert len(counts) > 1


@pytest.mark.parametrize(
    ("name", "inputs"), [("single_label", ["text"]), ("regression", ["text", "text_pair"])]
)
def test_a_signature_takes_lists_of_texts_by_name(answers, name, inputs):
    assert answers[name][-1]["signature"] == dict.fromkeys(inputs, "(None,)string")
    assert answers[name][-1]["scalar"] != "answered"


def test_an_export_is_signatures_and_no_python(exported):
    found = {
        path.relative_to(exported / "single_label" / "1").as_posix()
        for path in exported.rglob("single_label/1/**/*")
    }
    assert {"saved_model.pb", "variables/variables.index"} <= found
    assert "keras_metadata.pb" not in found
    assert list(tf.saved_model.load(exported / "single_label" / "1").signatures) == ["serving_default", "classify"]
