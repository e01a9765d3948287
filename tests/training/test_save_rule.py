"""When a training is saved, and which epoch is the best."""

import types

import keras
import pytest

from keras_bert.training import SaveRule
from tests.classifiers import NAMES, TEXTS, make_classifier


@pytest.mark.parametrize(
    "wrong",
    [
        *({"minutes": value} for value in (-1, float("nan"), "a", None)),
        *({"steps": value} for value in (0, 1.5, True, "a")),
        *({"keep": value} for value in (0, 1.5, True, None)),
    ],
)
def test_a_rule_must_leave_something(wrong):
    (name, value), = wrong.items()
    with pytest.raises(ValueError, match=f"one must be kept. Received: .*{name}={value!r}"):
        SaveRule(**wrong)


def test_the_best_is_a_log():
    with pytest.raises(ValueError, match="`best` must be the name of a log. Received: 1"):
        SaveRule(best=1)
    with pytest.raises(ValueError, match="`best` must be one of the logs. Received: 'val_f1'; they are loss"):
        SaveRule(best="val_f1").is_better({"loss": 1.0}, None)
    assert not SaveRule().is_better({"loss": 1.0}, None)


@pytest.mark.parametrize("name", ["loss", "val_loss", "val_mae", "root_mean_squared_error", "perplexity"])
def test_of_losses_and_errors_less_is_better(name):
    assert SaveRule(best=name).is_better({name: 1.0}, 2.0)
    assert not SaveRule(best=name).is_better({name: 2.0}, 1.0)


def test_of_all_else_more_is_better_and_nan_never():
    assert SaveRule(best="f1").is_better({"f1": 2.0}, 1.0) and not SaveRule(best="f1").is_better({"f1": 1.0}, 2.0)
    assert not SaveRule(best="f1").is_better({"f1": float("nan")}, None)
    assert SaveRule(best="val_loss").is_better({"val_loss": 2.0}, None)


def fit(folder, **kwargs):
    classifier = make_classifier()
    classifier.compile(learning_rate=0.01)
    return classifier.fit(TEXTS, NAMES, batch_size=4, epochs=3, verbose=0, checkpoint=folder, **kwargs)


def test_a_best_that_is_no_log_costs_no_step(tmp_path):
    with pytest.raises(ValueError, match="Received: 'val_acc'; they are accuracy, loss"):
        fit(tmp_path, save_rule=SaveRule(best="val_acc"))
    assert [path.name for path in tmp_path.iterdir()] == ["step-000000002"]


def test_epochs_without_an_evaluation_are_none_of_the_best(tmp_path):
    history = fit(
        tmp_path,
        save_rule=SaveRule(best="val_loss"),
        validation_data=(TEXTS, NAMES),
        validation_freq=2,
    )
    assert len(history.history["val_loss"]) == 1 and len(history.history["loss"]) == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-000000004", "step-000000006"]


def test_a_rule_is_for_a_training_that_is_saved(tmp_path):
    with pytest.raises(ValueError, match="`save_rule` is for a training that is saved. Received: no `checkpoint`"):
        fit(None, save_rule=SaveRule(steps=1))
    with pytest.raises(ValueError, match="`save_rule` must be a SaveRule. Received: 'daily'"):
        fit(tmp_path, save_rule="daily")


@pytest.mark.parametrize("folder", ["", 5, b"run", "run[1]", "what?", "all*"])
def test_a_folder_must_be_a_path_that_tensorflow_reads(folder):
    with pytest.raises(ValueError, match="must be a path. Received: |reads no checkpoint whose path holds"):
        fit(folder)


def test_a_folder_that_cannot_be_written_to_shows_before_the_first_step(tmp_path):
    (tmp_path / "file").write_text("")
    steps = []
    count = keras.callbacks.LambdaCallback(on_train_batch_begin=lambda *_: steps.append(1))
    for folder in (tmp_path / "file", tmp_path / "file" / "run", "/proc/nope/run"):
        with pytest.raises(ValueError, match="needs a folder that can be written to. Received: '.*Take another"):
            fit(folder, callbacks=count)
    assert not steps


def test_a_full_disk_shows_before_the_first_step(tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda path: types.SimpleNamespace(free=1000))
    with pytest.raises(ValueError, match=r"needs room for a checkpoint, \d+\.\d MB here. .* where 0\.0 MB are free"):
        fit(tmp_path)
