"""A training that ends after some hours, whatever the machine: its schedule goes by time, not by steps."""

import math
import numbers
import time

import keras

from keras_bert.training.schedules import WarmupLinearDecay
from keras_bert.training.workers import has_workers, sums_over_workers


class TimeBudget(keras.callbacks.Callback):
    """Sets the learning rate by the share of the time that has passed, and stops when it is over.

    The clock runs from when this is made. Several workers go by the mean of their clocks.

    Args:
        seconds: float. Of the whole training, all its runs together.
        peak: float. The highest learning rate.
        warmup: float, default 0.1. Share of the time in which it rises.
        spent: float, default 0. Seconds of earlier runs: the `seconds` of their `Progress`. With a checkpoint they are
            found there.
        end: float, default 1. The share of the time at which this phase of the training ends.
        schedule: class, default `WarmupLinearDecay`. How the rate goes, with seconds in the place of steps.

    Raises:
        ValueError: numbers that are none, or below 0; when training begins, an optimizer with a schedule of its own.

    Example:
    >>> progress = checkpoints.find()
    >>> budget = keras_bert.training.TimeBudget(3600, peak=1e-4, spent=progress.seconds)
    >>> keras_bert.training.fit_with_resume(model, batches, steps=10**9, steps_per_epoch=1000,
    ...                                     checkpoints=checkpoints, callbacks=[budget])
    """

    def __init__(
        self,
        seconds: float,
        peak: float,
        warmup: float = 0.1,
        spent: float = 0.0,
        end: float = 1.0,
        schedule: type = WarmupLinearDecay,
    ):
        super().__init__()
        given = {"seconds": seconds, "peak": peak, "warmup": warmup, "spent": spent, "end": end}
        are_finite = all(isinstance(value, numbers.Real) and 0 <= value < math.inf for value in given.values())
        if not are_finite or not seconds:
            raise ValueError(
                f"A budget must be of finite numbers of at least 0, and of seconds above 0. Received: {given}."
            )
        self.seconds, self.spent, self.end = seconds, spent, end
        self.schedule = schedule(peak=peak, total_steps=seconds, warmup_steps=warmup * seconds, first_step=0)
        self._start = time.monotonic()

    @property
    def share(self) -> float:
        """The share of the time that has passed."""
        share = (self.spent + time.monotonic() - self._start) / self.seconds
        place = self.model.distribute_strategy if self.model is not None else None
        if place is not None and has_workers(place):
            # With rates of their own the workers' weights would go apart, and they would not stop at the same step.
            total, count = sums_over_workers(place, [share, 1.0])
            share = total / count
        return min(1.0, share)

    @property
    def _optimizer(self):
        optimizer = self.model.optimizer
        return getattr(optimizer, "inner_optimizer", optimizer)  # of one that scales losses

    def on_train_begin(self, logs=None):
        if isinstance(self._optimizer.get_config()["learning_rate"], dict):
            raise ValueError(
                "A budget of time sets the learning rate. Received: an optimizer with a schedule, which sets it too. "
                "Compile one with a number: keras_bert.training.adamw(model.trainable_variables, 1e-4)."
            )

    def on_train_batch_begin(self, batch, logs=None):
        self._optimizer.learning_rate = float(self.schedule(self.share * self.seconds))

    def on_train_batch_end(self, batch, logs=None):
        if self.share >= self.end:
            self.model.stop_training = True
