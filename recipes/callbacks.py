"""Keras callbacks that the recipes share."""

import importlib.util
import os
import sys
import time

import keras
import numpy as np


class ExamplesPerSecond(keras.callbacks.Callback):
    """Adds `examples_per_second` to the logs, hence to the progress bar, the history and what TensorBoard shows.

    It is the mean since the start of the epoch, validation not counted; the first epoch includes building the graph.
    Put it before callbacks that write logs.

    Args:
        num_examples: int. The examples of an epoch.
        batch_size: int. The examples of a step.
    """

    async_safe = True  # it reads a clock only, so Keras need not wait for each step

    def __init__(self, num_examples: int, batch_size: int):
        super().__init__()
        self.num_examples, self.batch_size = num_examples, batch_size

    def on_epoch_begin(self, epoch, logs=None):
        self._start = self._end = time.perf_counter()
        self._seen = 0

    def on_train_batch_end(self, batch, logs=None):
        self._end = time.perf_counter()
        self._seen = min((batch + 1) * self.batch_size, self.num_examples)
        logs["examples_per_second"] = self._rate()

    def on_epoch_end(self, epoch, logs=None):
        logs["examples_per_second"] = self._rate()

    def _rate(self):
        return self._seen / max(self._end - self._start, 1e-9)


class BestPreset(keras.callbacks.Callback):
    """Saves the preset after each epoch that is the best so far, and brings its weights back at the end.

    A run that is killed leaves the best of its finished epochs.

    Args:
        directory: str or `os.PathLike`. The preset to write.
        monitor: str. The name in the logs that decides, like `"val_accuracy"`.
        higher_is_better: bool. Whether a higher value is better.
        writes: bool, default True. `False` on workers that take part without leaving files.
    """

    def __init__(self, directory: str | os.PathLike, monitor: str, higher_is_better: bool, writes: bool = True):
        super().__init__()
        self.writes = writes
        self.directory, self.monitor, self.sign = directory, monitor, 1 if higher_is_better else -1
        self.best, self.best_epoch, self._weights = -np.inf, None, None

    def on_epoch_end(self, epoch, logs=None):
        value = self.sign * logs[self.monitor]
        if value > self.best:  # never so for NaN
            if self.writes:
                self.model.save_to_preset(self.directory)
            self.best, self.best_epoch, self._weights = value, epoch + 1, self.model.get_weights()

    def on_train_end(self, logs=None):
        if self._weights is not None:
            self.model.set_weights(self._weights)


def tensorboard_logs(folder) -> list[keras.callbacks.Callback]:
    """Returns what writes logs for TensorBoard; nothing, and says so, where that is not installed.

    TensorFlow brings it up to 2.20.

    Args:
        folder: `pathlib.Path`. A run's own.
    """
    if importlib.util.find_spec("tensorboard") is None:
        print(
            "No logs are written: TensorBoard is not installed. For them: pip install tensorboard.",
            file=sys.stderr,
        )
        return []
    return [keras.callbacks.TensorBoard(folder, write_graph=False)]
