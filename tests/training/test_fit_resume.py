"""`fit(checkpoint=...)` of the tasks: killed, told to end or run again, it ends as if nothing had happened."""

import json
import pathlib
import random
import signal
import time

import numpy as np
import pytest
import tensorflow as tf

import keras_bert
from keras_bert.data.fingerprint import fingerprint
from keras_bert.training import Checkpoints, SaveRule
from tests.classifiers import NAMES, TEXTS, make_classifier
from tests.training import fitting_run, pretraining_run
from tests.training.processes import finish, kill, start, steps_until

SCRIPT = pathlib.Path(__file__).parent / "fitting_run.py"


def result(head, output):
    finish(start(SCRIPT, head, output))
    return json.loads((output / "result.json").read_text())


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """Gives the result of a head's run without a kill; each is made once."""
    results = {}

    def of(head):
        if head not in results:
            results[head] = result(head, tmp_path_factory.mktemp(head))
        return results[head]

    return of


def test_a_machine_that_is_taken_back_costs_nothing(undisturbed, tmp_path):
    """SIGTERM in the first epoch, SIGKILL later: with dropout and a new order in every epoch the end is the same."""
    process = start(SCRIPT, "classifier", tmp_path, "--pause", 0.2)
    steps_until(process, 3)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 143
    saved = sorted((tmp_path / "checkpoints").glob("step-*/state.json"))[-1]
    assert 3 <= json.loads(saved.read_text())["progress"]["step"] <= 5
    process = start(SCRIPT, "classifier", tmp_path, "--pause", 0.2)
    steps_until(process, 4)
    kill(process)
    assert not (tmp_path / "result.json").exists()
    found = result("classifier", tmp_path)
    assert found == undisturbed("classifier")
    assert len(found["history"]["val_loss"]) == 4 and len(set(found["history"]["val_loss"])) == 4


@pytest.mark.slow
@pytest.mark.parametrize("head", ["span", "token", "masked", "choice", "pairs", "scores"])
def test_random_kills_of_the_other_heads_cost_nothing(head, undisturbed, tmp_path):
    draw = random.Random(0)
    for _ in range(4):
        process = start(SCRIPT, head, tmp_path, "--pause", 0.1)
        steps_until(process, draw.randint(1, 8))
        time.sleep(draw.uniform(0, 0.2))
        kill(process)
    assert result(head, tmp_path) == undisturbed(head)


def test_a_finished_training_is_restored_and_not_repeated(tmp_path):
    model, history = fitting_run.run("classifier", tmp_path)
    again, same = fitting_run.run("classifier", tmp_path)
    assert same == history
    for one, other in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert int(again.optimizer.iterations) == 16


def test_what_changed_is_named(tmp_path):
    fitting_run.run("classifier", tmp_path, epochs=1)
    with pytest.raises(ValueError, match="epochs was 1 and is 2.*learning_rate/config/total_steps was 4 and is 8"):
        fitting_run.run("classifier", tmp_path, epochs=2)
    with pytest.raises(ValueError, match="where optimizer/config/learning_rate/config/peak was 0.01 and is 0.02"):
        fitting_run.run("classifier", tmp_path, epochs=1, learning_rate=0.02)
    with pytest.raises(ValueError, match=r"labels was \['negative', 'positive'\] and is \['positive', 'ne"):
        fitting_run.run("classifier", tmp_path, epochs=1, labels=("positive", "negative"))
    others = ([*TEXTS[1:], "good"], NAMES)
    with pytest.raises(ValueError, match="where data was '[0-9a-f]{16}' and is '[0-9a-f]{16}'"):
        fitting_run.run("classifier", tmp_path, epochs=1, examples=others)


def test_the_best_epoch_and_the_newest_stay(tmp_path):
    _, history = fitting_run.run("classifier", tmp_path, epochs=6, best="val_loss", keep=1)
    losses = history["val_loss"]
    kept = {int(path.name[5:]) for path in (tmp_path / "checkpoints").iterdir()}
    assert kept == {4 * (1 + losses.index(min(losses))), 24}


def test_the_best_epoch_comes_back(tmp_path):
    fitting_run.run("classifier", tmp_path, epochs=6, best="val_loss", keep=1, learning_rate=0.1)
    fresh = keras_bert.BertClassifier.from_preset(tmp_path / "start", dropout=0.1)
    logs = Checkpoints(tmp_path / "checkpoints", fresh).restore_best()
    found = fresh.evaluate(TEXTS, NAMES, batch_size=2, return_dict=True, verbose=0)
    assert logs["step"] < 24
    fresh.compile()
    for name, value in found.items():
        np.testing.assert_allclose(value, logs[f"val_{name}"], atol=1e-6)
    with pytest.raises(ValueError, match="The best epoch must be one of this model. Received: .*step-"):
        Checkpoints(tmp_path / "checkpoints", make_classifier(labels=("a", "b", "c"))).restore_best()


def test_no_best_epoch_was_kept(tmp_path):
    fitting_run.run("classifier", tmp_path, epochs=1)
    with pytest.raises(ValueError, match="must have kept its best epoch. Received: .*SaveRule"):
        Checkpoints(tmp_path / "checkpoints", make_classifier()).restore_best()


def test_a_dataset_is_gone_on_with_where_it_gives_the_same_each_time(tmp_path):
    dataset = tf.data.Dataset.from_tensor_slices((TEXTS, [int(name == "positive") for name in NAMES]))

    def fit(data, epochs_before):
        classifier = make_classifier()
        classifier.compile(learning_rate=0.01)
        folder = tmp_path / str(epochs_before)
        return classifier.fit(data.batch(2), epochs=2, checkpoint=folder, save_rule=SaveRule(steps=1), verbose=0)

    history = fit(dataset.shuffle(7, seed=1, reshuffle_each_iteration=False), 0).history
    assert len(history["loss"]) == 2
    with pytest.raises(ValueError, match="in the same order each time. Received: a dataset that gives other elements"):
        fit(dataset.shuffle(7), 1)


def test_a_pretrainer_goes_on_with_its_batches(records, tmp_path):
    manifest = keras_bert.data.read_manifest(records)
    batches = keras_bert.data.pretraining_batches(manifest, batch_size=4, row_size=32)

    def fit(folder, *callbacks):
        pretrainer = pretraining_run.build(manifest)
        options = {"checkpoint": tmp_path / folder, "save_rule": SaveRule(steps=1), "callbacks": callbacks}
        pretrainer.fit(batches, epochs=3, steps_per_epoch=4, verbose=0, **options)
        return pretrainer

    whole = fit("whole")
    with pytest.raises(KeyboardInterrupt):
        fit("broken", fitting_run.Interrupted(7))
    for one, other in zip(whole.get_weights(), fit("broken").get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-7)


@pytest.mark.parametrize(
    "other",
    [
        (["a", "bc"], [0, 1]),
        (["ab", "c"], [1, 0]),
        (["ab", "c"], [0, 1], [1.0, 2.0]),
        ((["ab"], ["c"]), [0, 1]),
        ({"token_ids": np.ones((2, 2), "int32")}, [0, 1]),
        (["ab", "c"], [{"text": "a", "answer_start": 0}, None]),
        (tf.ragged.constant([["ab"], ["c"]]), [0, 1]),
    ],
)
def test_other_examples_have_another_fingerprint(other):
    assert fingerprint(*other) == fingerprint(*other) != fingerprint(["ab", "c"], [0, 1])
    assert fingerprint(["ab", "c"], [0, 1]) == fingerprint(["ab", "c"], [0, 1])
    assert fingerprint(["a fine film", "a bore"], [1, 0]) == "1f657f235852ab04"  # the docstring's
