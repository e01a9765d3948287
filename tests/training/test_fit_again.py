"""`fit(checkpoint=...)` called again: on the same model, with callbacks, after an early end, with other settings."""

import csv

import keras
import numpy as np
import pytest

import keras_bert
from keras_bert.training import Checkpoints, Progress, SaveRule, TimeBudget, adamw
from tests.classifiers import INDICES, NAMES, TEXTS, make_classifier
from tests.training.fitting_run import Interrupted
from tests.training.test_checkpoint_folder import fit


def assert_same(one, other, atol=1e-7):
    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=atol)


def test_the_same_model_goes_on_after_an_interruption_and_is_restored_after_the_end(tmp_path, capsys):
    whole, _ = fit(tmp_path / "whole", epochs=3)
    classifier = make_classifier()
    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path / "run", 3, classifier, callbacks=Interrupted(3))
    capsys.readouterr()
    fit(tmp_path / "run", 3, classifier, verbose=2)
    assert f"Goes on from step 2 of 6 in {tmp_path / 'run'}." in capsys.readouterr().out
    assert_same(classifier, whole)
    rate = float(classifier.optimizer.learning_rate)
    fit(tmp_path / "run", 3, classifier, verbose=2)
    assert "Nothing is left to train: the weights are those of step 6" in capsys.readouterr().out
    assert_same(classifier, whole)
    assert float(classifier.optimizer.learning_rate) == rate


def test_a_model_that_has_trained_before_goes_on_from_where_it_began(tmp_path):
    def trained(folder, *callbacks):
        classifier = make_classifier()
        classifier.fit(TEXTS, NAMES, verbose=0)
        return fit(tmp_path / folder, 3, classifier, callbacks=callbacks)[0]

    whole = trained("whole")
    with pytest.raises(KeyboardInterrupt):
        trained("run", Interrupted(3))
    assert_same(trained("run"), whole)


def test_numbers_of_numpy_and_no_callbacks_are_taken(tmp_path):
    fit(tmp_path, epochs=np.int64(2), batch_size=np.int64(4), callbacks=None)
    fit(tmp_path, epochs=2, batch_size=4, callbacks=[])


def test_a_batch_size_that_is_the_default_is_no_change(tmp_path):
    fit(tmp_path, batch_size=None)
    fit(tmp_path, batch_size=32)


def test_callbacks_see_one_training(tmp_path):
    log = keras.callbacks.CSVLogger(str(tmp_path / "log.csv"), append=True)
    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path / "run", 4, callbacks=[Interrupted(4)])
    events = []
    names = ("on_train_begin", "on_train_end")
    seen = keras.callbacks.LambdaCallback(**{name: lambda logs, name=name: events.append(name) for name in names})
    fit(tmp_path / "run", 4, callbacks=[log, seen])
    assert events == list(names)
    with open(tmp_path / "log.csv", encoding="utf-8") as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == ["1", "2", "3"]


def test_a_training_that_a_callback_has_ended_is_not_gone_on_with(tmp_path):
    def stopping():
        return keras.callbacks.EarlyStopping("loss", min_delta=10.0, patience=1, restore_best_weights=True)

    classifier, history = fit(tmp_path, 6, callbacks=[stopping()])
    assert len(history.history["loss"]) == 2
    first = make_classifier()
    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path / "first", 6, first, callbacks=[Interrupted(3)])
    Checkpoints(tmp_path / "first", first).restore(Progress(step=2))  # the better one of its two epochs
    assert_same(classifier, first)
    again, same = fit(tmp_path, 6, callbacks=[stopping()])
    assert same.history == history.history
    assert_same(again, classifier, 0)


def test_a_budget_of_time_is_one_over_all_runs(tmp_path):
    def run(*callbacks):
        classifier = make_classifier()
        classifier.compile(adamw(classifier.trainable_variables, 1e-3))
        budget = TimeBudget(2.0, peak=1e-3)
        options = {"epochs": 10**6, "classifier": classifier, "callbacks": [budget, *callbacks]}
        return budget, fit(tmp_path, save_rule=SaveRule(), **options)[1].history["loss"]

    budget, losses = run()
    assert budget.spent == 0 and len(losses) > 0
    again, same = run()
    assert 0 < again.spent < 30 and same == losses


def test_the_history_counts_epochs_as_keras_does(tmp_path):
    _, history = fit(tmp_path, 3, initial_epoch=1, validation_data=(TEXTS, NAMES), validation_freq=[2])
    assert history.epoch == [1, 2] and len(history.history["loss"]) == 2
    assert len(history.history["val_loss"]) == 1


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"class_weight": {"positive": 100.0}}, "class_weight was None and is {'positive': 100.0}"),
        ({"shuffle": False}, "shuffle was True and is False"),
        ({"initial_epoch": 1}, "initial_epoch was 0 and is 1"),
    ],
)
def test_an_argument_that_changed_is_named(tmp_path, change, name):
    fit(tmp_path)
    with pytest.raises(ValueError, match=name):
        fit(tmp_path, **change)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"labels": ("positive", "negative")}, "head/labels was"),
        ({"dropout": 0.5}, "encoder/attention_dropout was 0.0 and is 0.5; encoder/dropout was 0.0 and is 0.5"),
        ({"sequence_length": 5}, "sequence_length was 14 and is 5"),
        ({"dtype": "mixed_bfloat16"}, "dtype was 'float32' and is 'mixed_bfloat16'"),
    ],
)
def test_a_model_that_changed_is_named(tmp_path, change, name):
    make_classifier().save_to_preset(tmp_path / "preset")
    fit(tmp_path / "run", classifier=keras_bert.BertClassifier.from_preset(tmp_path / "preset"))
    with pytest.raises(ValueError, match=name):
        fit(tmp_path / "run", classifier=keras_bert.BertClassifier.from_preset(tmp_path / "preset", **change))


def test_a_loss_that_changed_is_named(tmp_path):
    def run(from_logits):
        classifier = make_classifier()
        classifier.compile(loss=keras.losses.SparseCategoricalCrossentropy(from_logits))
        fit(tmp_path, classifier=classifier)

    run(True)
    with pytest.raises(ValueError, match="loss/None/config/from_logits was True and is False"):
        run(False)


def test_a_teacher_that_changed_is_named(tmp_path):
    def run(alpha=0.5, factor=1.0):
        teacher = make_classifier(num_layers=2)
        teacher.set_weights([factor * weight for weight in teacher.get_weights()])
        distiller = keras_bert.BertDistiller(make_classifier(), teacher, alpha=alpha)
        distiller.fit(TEXTS, NAMES, verbose=0, checkpoint=tmp_path)

    run()
    with pytest.raises(ValueError, match="where teacher was"):
        run(factor=1.1)
    with pytest.raises(ValueError, match="loss_weights/teacher was 0.5 and is 0.9"):
        run(alpha=0.9)


def test_an_epoch_must_be_whole_executions():
    classifier = make_classifier()
    classifier.compile(steps_per_execution=2)
    with pytest.raises(ValueError, match="must divide the steps of an epoch. Received: 2, and 7 steps"):
        classifier.fit(TEXTS, INDICES, batch_size=1, verbose=0)
    classifier.fit(TEXTS, INDICES, batch_size=4, verbose=0)
    assert int(classifier.optimizer.iterations) == 2


def test_an_optimizer_that_cannot_be_described_is_refused(tmp_path):
    class Schedule(keras.optimizers.schedules.LearningRateSchedule):
        def __call__(self, step):
            return 0.1

    classifier = make_classifier()
    classifier.compile(keras.optimizers.SGD(Schedule()))
    with pytest.raises(ValueError, match="that tell their settings. Received: SGD with one that does not"):
        fit(tmp_path, classifier=classifier)


@pytest.mark.parametrize("wrong", [{"epochs": "3"}, {"epochs": 1.5}, {"epochs": float("nan")}, {"initial_epoch": -1}])
def test_epochs_are_whole_numbers(wrong):
    with pytest.raises(ValueError, match=f"`{next(iter(wrong))}` must be a whole number of at least 0. Received: "):
        make_classifier().fit(TEXTS, NAMES, **{"epochs": 2, **wrong})


def test_sets_of_labels_are_the_same_in_every_process():
    from keras_bert.data.fingerprint import fingerprint

    labels = [{"a", "b", "c"}, set(), frozenset("b")]
    assert fingerprint(["x", "y", "z"], labels) == fingerprint(["x", "y", "z"], [["a", "b", "c"], [], ["b"]])
