"""The best epoch is kept, and examples are counted."""

import importlib.util

import callbacks
import numpy as np
import pytest


class Recorder:
    """Stands for a classifier: notes what is saved and which weights it has."""

    def __init__(self):
        self.saved, self.weights = [], 0

    def save_to_preset(self, directory):
        self.saved.append(self.weights)

    def get_weights(self):
        return self.weights

    def set_weights(self, weights):
        self.weights = weights


@pytest.mark.parametrize(
    ("higher_is_better", "values", "saved"),
    [
        (True, [0.5, 0.4, 0.7, 0.7], [1, 3]),
        (False, [0.5, 0.6, np.nan, 0.4], [1, 4]),
        (True, [np.nan, 0.1], [2]),
    ],
)
def test_the_best_of_the_finished_epochs_is_saved_and_comes_back(higher_is_better, values, saved):
    best = callbacks.BestPreset("preset", "val", higher_is_better)
    best.set_model(model := Recorder())
    for epoch, value in enumerate(values):
        model.weights = epoch + 1
        best.on_epoch_end(epoch, {"val": value})
    best.on_train_end()
    assert model.saved == saved and model.weights == best.best_epoch == saved[-1]


def test_a_worker_that_is_not_the_chief_brings_the_best_back_and_saves_nothing():
    best = callbacks.BestPreset("preset", "val", higher_is_better=True, writes=False)
    best.set_model(model := Recorder())
    for epoch, value in enumerate([0.5, 0.4]):
        model.weights = epoch + 1
        best.on_epoch_end(epoch, {"val": value})
    best.on_train_end()
    assert model.saved == [] and model.weights == best.best_epoch == 1


def test_examples_per_second_count_the_last_partial_batch(monkeypatch):
    ticks = iter([0.0, 1.0, 2.0])
    monkeypatch.setattr(callbacks.time, "perf_counter", lambda: next(ticks))
    callback, logs = callbacks.ExamplesPerSecond(num_examples=7, batch_size=5), {}
    callback.on_epoch_begin(0)
    for batch, expected in enumerate([5.0, 3.5]):
        callback.on_train_batch_end(batch, logs)
        assert logs["examples_per_second"] == expected
    callback.on_epoch_end(0, logs)
    assert logs["examples_per_second"] == 3.5


def test_without_tensorboard_training_goes_on_without_logs(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert callbacks.tensorboard_logs(tmp_path) == []
    assert "pip install tensorboard" in capsys.readouterr().err
