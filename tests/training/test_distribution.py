"""Two replicas train as one device does. They need logical CPUs of their own: this file is also what runs there."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

import keras_bert
from keras_bert.training import strategy
from tests.choosers import ANSWERS, EXAMPLES, make_chooser
from tests.classifiers import NAMES, TEXTS, make_classifier
from tests.embedders import FIRST, SCORES, SECOND, make_embedder
from tests.labelers import CONTEXTS, QUESTIONS, make_labeler
from tests.masked import TEXTS as MASKED_TEXTS
from tests.masked import make_masked_lm
from tests.taggers import WORDS, make_tagger

WEIGHTS = [1.0, 0.5, 3.0, 2.0, 0.25, 1.0, 0.0]
# name: (examples, uneven weights, settings of the compile), in batches of 4. A last batch of 3 is 2 and 1, one of 1 is
# 1 and 0. "all" has the optimizer of the default compile: a schedule, and clipping at a norm of 1.
CASES = {
    "all": (5, True, {"learning_rate": 0.001, "gradient_accumulation_steps": 2}),
}
SLOW_CASES = {
    "sample weights": (6, True, {"global_clipnorm": None}),
    "partial batch": (7, False, {"global_clipnorm": None}),
    "clipping": (6, False, {"global_clipnorm": 0.05}),
    "accumulation": (6, False, {"global_clipnorm": None, "gradient_accumulation_steps": 2}),
}


def main(preset, cases):
    """Prints how far two replicas are from one device in each of the cases."""
    device = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(device, [tf.config.LogicalDeviceConfiguration()] * 2)
    one, mirrored = strategy("one"), strategy("mirrored")

    def make(place, dropout, clipnorm=None, **settings):
        with place.scope():
            classifier = keras_bert.BertClassifier.from_preset(preset, dropout=dropout)
            if clipnorm != "default":
                variables = classifier.trainable_variables
                settings["optimizer"] = keras_bert.training.adamw(variables, 0.001, global_clipnorm=clipnorm)
            classifier.compile(**settings, run_eagerly=place is one)
        return classifier

    def reset(classifier, weights):
        """Back to the beginning, but for what was traced: that takes most of the time."""
        classifier.set_weights(weights)
        for variable in classifier.optimizer.variables:
            if variable.path.endswith(("momentum", "velocity", "iteration")):
                variable.assign(0 * variable)

    def fit(classifier, count, weighted, **kwargs):
        sample_weight = WEIGHTS[:count] if weighted else None
        return classifier.fit(
            *(TEXTS[:count], NAMES[:count]),
            **{"sample_weight": sample_weight, "batch_size": 4, "shuffle": False, "verbose": 0, **kwargs},
        ).history

    models, differences = {}, {}
    for name, (count, weighted, settings) in cases.items():
        results = []
        for place in (one, mirrored):
            key = (place is one, *sorted(settings.items()))
            if key not in models:
                arguments = dict(settings)
                arguments["clipnorm"] = arguments.pop("global_clipnorm", "default")
                models[key] = make(place, 0.0, **arguments)
                models[key].initial = models[key].get_weights()
            classifier = models[key]
            reset(classifier, classifier.initial)
            extra = {"validation_data": (TEXTS[:3], NAMES[:3])} if name == "all" else {}
            history = fit(classifier, count, weighted, epochs=2 if name == "all" else 1, **extra)
            results.append((history, classifier.get_weights()))
        (history, weights), (other_history, other_weights) = results
        differences[name] = {
            key: float(np.abs(np.subtract(history[key], other_history[key])).max()) for key in history
        }
        differences[name]["weights"] = float(max(np.abs(a - b).max() for a, b in zip(weights, other_weights)))
        moved = max(np.abs(a - b).max() for a, b in zip(weights, classifier.initial))
        differences[name]["moved"] = float(moved)

    answers = [
        model.predict(TEXTS, batch_size=3, verbose=0) for model in (models[key] for key in list(models)[-2:])
    ]
    differences["predict"] = float(np.abs(answers[0] - answers[1]).max())

    answers = [context.strip()[:3] for context in CONTEXTS]
    tags = [["B-x"] * len(words) for words in WORDS]
    heads = {
        "spans": (make_labeler, ((QUESTIONS[2:], CONTEXTS[2:]), answers[2:], WEIGHTS[2:])),
        "words": (make_tagger, (WORDS, tags, WEIGHTS[: len(WORDS)])),
        "masks": (make_masked_lm, (MASKED_TEXTS, None, None)),
        "choices": (make_chooser, (EXAMPLES, ANSWERS, WEIGHTS[: len(ANSWERS)])),
    }
    for name, (make_head, (x, y, sample_weight)) in heads.items():
        results = []
        for place in (one, mirrored):
            with place.scope():
                model = make_head()
                model.compile(learning_rate=0.001, run_eagerly=place is one)
            history = model.fit(x, y, 4, 1, 0, sample_weight=sample_weight, shuffle=False).history
            results.append((history, model.predict(x, verbose=0)))
        (history, found), (other_history, other_found) = results
        differences[name] = {key: abs(history[key][0] - other_history[key][0]) for key in history}
        differences[name]["answers"] = float(_without_scores(found) != _without_scores(other_found))

    # Of 5 pairs the replicas get 3 and 2, and each compares its own with those of the other.
    for name, labels in (("pairs", None), ("scored pairs", SCORES)):
        results = []
        for place in (one, mirrored):
            with place.scope():
                embedder = make_embedder(num_layers=1)
                embedder.compile(learning_rate=0.001, warmup=0.0, run_eagerly=place is one)
            pairs = (FIRST, SECOND)
            history = embedder.fit(pairs, labels, 5, 1, 0, sample_weight=WEIGHTS[:5], shuffle=False).history
            results.append((history, embedder.get_weights(), embedder.predict(FIRST, verbose=0)))
        (history, weights, found), (other_history, other_weights, other_found) = results
        differences[name] = {key: abs(history[key][0] - other_history[key][0]) for key in history}
        differences[name]["weights"] = float(max(np.abs(a - b).max() for a, b in zip(weights, other_weights)))
        differences[name]["embeddings"] = float(np.abs(found - other_found).max())

    classifier = make(mirrored, 0.5)
    inputs = classifier.preprocessor(TEXTS)
    call = tf.function(lambda: classifier(inputs, training=True), autograph=False)
    replicas = mirrored.experimental_local_results(mirrored.run(call))
    differences["dropout"] = float(np.abs(replicas[0] - replicas[1]).max())

    classifier.enable_lora(rank=2)  # its variables are made here, outside of the scope
    on_one_device = [
        v.path for v in classifier.variables if len(mirrored.experimental_local_results(v.value)) < 2
    ]
    differences["on one device"] = on_one_device
    print(json.dumps(differences))


def _without_scores(found):
    """What labelers, taggers and choosers say, but for floats."""
    if isinstance(found, np.ndarray):
        return found.argmax(axis=1).tolist()
    if isinstance(found, dict):
        return {key: _without_scores(value) for key, value in found.items() if key != "score"}
    return [_without_scores(one) for one in found] if isinstance(found, list) else found


@pytest.fixture(scope="module")
def measure(tmp_path_factory, root):
    """Runs `main` in a process with two logical CPUs."""
    preset = tmp_path_factory.mktemp("mirrored") / "preset"
    make_classifier().save_to_preset(preset)
    environment = {**os.environ, "PYTHONPATH": str(root), "CUDA_VISIBLE_DEVICES": "-1"}

    def measured(cases):
        command = [sys.executable, __file__, str(preset), json.dumps(cases)]
        result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stderr[-4000:]
        return json.loads(result.stdout.splitlines()[-1])

    return measured


@pytest.fixture(scope="module")
def differences(measure):
    return measure(CASES)


@pytest.fixture(scope="module")
def more_differences(measure):
    return measure(SLOW_CASES)


def assert_equal_training(found):
    assert found["moved"] > 1e-4
    assert {key: value for key, value in found.items() if key != "moved" and value > 1e-5} == {}
    assert set(found) >= {"loss", "accuracy", "weights"}


@pytest.mark.parametrize("case", CASES)
def test_replicas_train_as_one_device(differences, case):
    assert_equal_training(differences[case])


@pytest.mark.slow
@pytest.mark.parametrize("case", SLOW_CASES)
def test_replicas_train_as_one_device_in_single_points(more_differences, case):
    assert_equal_training(more_differences[case])


def test_validation_and_predictions_are_those_of_one_device(differences):
    assert differences["all"]["val_loss"] <= 1e-5
    assert differences["all"]["val_accuracy"] <= 1e-6
    assert differences["predict"] <= 1e-6


@pytest.mark.parametrize("head", ["spans", "words", "masks", "choices"])
def test_other_heads_train_and_answer_as_on_one_device(differences, head):
    assert {key: value for key, value in differences[head].items() if value > 1e-5} == {}
    assert len(differences[head]) >= 3


@pytest.mark.parametrize(("kind", "metric"), [("pairs", "accuracy"), ("scored pairs", "pearson")])
def test_pairs_train_and_are_embedded_as_on_one_device(differences, kind, metric):
    assert {key: value for key, value in differences[kind].items() if value > 1e-5} == {}
    assert set(differences[kind]) == {"loss", metric, "weights", "embeddings"}


def test_replicas_draw_different_dropout_masks(differences):
    assert differences["dropout"] > 0.01


def test_all_replicas_have_loras_matrices(differences):
    assert differences["on one device"] == []


def test_one_is_the_strategy_in_force():
    assert strategy() is strategy("one") is tf.distribute.get_strategy()
    assert strategy("one").num_replicas_in_sync == 1


def test_an_unknown_strategy_is_refused():
    with pytest.raises(ValueError, match="'multi_worker', 'tpu'. Received: 'tpus'"):
        strategy("tpus")


def test_mirrored_needs_several_devices():
    with pytest.raises(
        ValueError, match="needs several GPUs, or several logical CPUs. Received: .*no GPU, .*CPU:0. Use 'one'"
    ):
        strategy("mirrored")


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
