"""A training that ends after some hours, whatever the machine: its schedule goes by time, not by steps."""

import time

import keras


class TimeBudget(keras.callbacks.Callback):
    """Sets the learning rate by the share of the time that has passed, and stops at a phase's end.

    It rises linearly during the warm-up and then falls linearly to 0.

    Args:
        seconds: float. Of the whole training, all its runs together.
        spent: float. Seconds of earlier runs.
        end: float. The share of the time at which this phase ends.
        peak: float. Highest learning rate.
        warmup: float. Share of the time in which it rises.
    """

    def __init__(self, seconds: float, spent: float, end: float, peak: float, warmup: float):
        super().__init__()
        self.seconds, self.spent, self.end, self.peak, self.warmup = seconds, spent, end, peak, warmup
        self._start = time.monotonic()

    @property
    def share(self) -> float:
        """The share of the time that has passed."""
        return min(1.0, (self.spent + time.monotonic() - self._start) / self.seconds)

    def on_train_batch_begin(self, batch, logs=None):
        rising = self.share / max(self.warmup, 1e-9)
        falling = (1 - self.share) / max(1 - self.warmup, 1e-9)
        self.model.optimizer.learning_rate = self.peak * min(rising, falling)

    def on_train_batch_end(self, batch, logs=None):
        if self.share >= self.end:
            self.model.stop_training = True
