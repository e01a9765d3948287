"""When a training is saved: every so often, at its end, and when the machine is taken away."""

import dataclasses
import numbers
import signal
import sys
import threading
import time

import keras
import tensorflow as tf

from keras_bert.training.checkpoints import Checkpoints, Progress
from keras_bert.training.workers import has_workers, sums_over_workers

# Logs of which less is better, by how their names end.
_LESS_IS_BETTER = ("loss", "error", "mae", "mse", "rmse", "mape", "msle", "perplexity")
# Steps after which several workers agree whether to save: each agreement is a message to all.
_STEPS_TO_AGREE = 10
_EXIT_CODE = 128 + signal.SIGTERM


@dataclasses.dataclass(frozen=True)
class SaveRule:
    """When a training is saved, and what stays.

    Args:
        minutes: float, default 10. Between two saves.
        steps: int, optional. Between two saves, in the place of the minutes.
        best: str, optional. The log of an epoch that tells which is the best: "val_accuracy", or "val_loss". Of losses,
            errors ("mae", "mse" and the like) and perplexities less is better, of all else more. Its checkpoint stays
            until there is a better one.
        keep: int, default 2. So many checkpoints stay beside the best.

    Raises:
        ValueError: less than nothing, or no number.

    Example:
    >>> rule = keras_bert.training.SaveRule(steps=500, best="val_accuracy")
    >>> classifier.fit(texts, labels, validation_data=(others, their_labels), checkpoint="run", save_rule=rule)
    """

    minutes: float = 10.0
    steps: int | None = None
    best: str | None = None
    keep: int = 2

    def __post_init__(self):
        counts = [self.keep] if self.steps is None else [self.steps, self.keep]
        if not isinstance(self.minutes, numbers.Real) or not self.minutes >= 0 or not all(map(_is_count, counts)):
            raise ValueError(
                "Between two saves there must be 0 minutes or a step at least, and one must be kept. "
                f"Received: minutes={self.minutes!r}, steps={self.steps!r}, keep={self.keep!r}."
            )
        if not isinstance(self.best, (str, type(None))):
            raise ValueError(f"`best` must be the name of a log. Received: {self.best!r}. Use 'val_loss', for example.")

    def is_better(self, logs: dict, before: float | None) -> bool:
        """Tells whether an epoch is the best so far.

        Args:
            logs: dict, the epoch's.
            before: float, or None: the best epoch's before.

        Returns:
            bool.

        Raises:
            ValueError: `best` is none of the logs.
        """
        if self.best is None:
            return False
        if self.best not in logs:
            raise ValueError(f"`best` must be one of the logs. Received: {self.best!r}; they are {', '.join(logs)}.")
        sign = -1 if self.best.endswith(_LESS_IS_BETTER) else 1
        return sign * logs[self.best] > (float("-inf") if before is None else sign * before)  # never so for NaN


class Saver(keras.callbacks.Callback):
    """Counts the steps, keeps the logs, and saves by the rule. After other callbacks: they add to the logs.

    As a context it takes SIGTERM: then it saves after the step, and exits.

    Args:
        checkpoints: `Checkpoints`.
        progress: `Progress`, which it carries on.
        rule: `SaveRule`.
        evaluates: bool, default False. Whether some epochs end with an evaluation.
    """

    def __init__(
        self, checkpoints: Checkpoints, progress: Progress, rule: SaveRule, evaluates: bool = False
    ):
        super().__init__()
        if not isinstance(rule, SaveRule):
            raise ValueError(f"`save_rule` must be a SaveRule. Received: {rule!r}. Use SaveRule(minutes=5).")
        self.checkpoints, self.progress, self.rule = checkpoints, progress, rule
        self.evaluates, self.stopped = evaluates, False
        self._is_asked_to_end = False
        self._last_save = time.monotonic()
        self._saved_step = progress.step

    def __enter__(self):
        self._before_signal = None
        if threading.current_thread() is threading.main_thread():
            self._before_signal = signal.signal(signal.SIGTERM, self._ask_to_end)
        return self

    def __exit__(self, *_):
        if self._before_signal is not None:
            signal.signal(signal.SIGTERM, self._before_signal)

    def on_train_begin(self, logs=None):
        self._clock = time.monotonic()

    def on_epoch_begin(self, epoch, logs=None):
        self._before = self.progress.step, self.progress.epoch_steps

    def on_train_batch_end(self, batch, logs=None):
        self.progress.step, self.progress.epoch_steps = (before + batch + 1 for before in self._before)
        self._count_seconds()
        # The end of an epoch has its own save, after the evaluation.
        if batch + 1 < self.params["steps"]:
            self._save_if_due()

    def on_epoch_end(self, epoch, logs=None):
        logs = {name: float(tf.reshape(value, [-1])[0]) for name, value in (logs or {}).items()}
        self.progress.history.append({"step": self.progress.step, **logs})
        self.progress.epoch_steps = 0
        self._count_seconds()
        is_measured = any(name.startswith("val_") for name in logs) or not self.evaluates
        try:
            is_best = is_measured and self.rule.is_better(logs, self.progress.notes.get("best"))
        except ValueError:
            self._save()  # what is trained is trained
            raise
        if is_best:
            self.progress.notes |= {"best": logs[self.rule.best], "best_step": self.progress.step}
        self._save_if_due(is_best)

    def on_train_end(self, logs=None):
        self.stopped = self.model.stop_training

    def _ask_to_end(self, *_):
        self._is_asked_to_end = True

    def _save_if_due(self, is_due=False):
        step, rule = self.progress.step, self.rule
        if rule.steps is not None:
            is_due |= step - self._saved_step >= rule.steps
        else:
            is_due |= time.monotonic() - self._last_save >= 60 * rule.minutes
        ends = self._is_asked_to_end
        strategy = self.model.distribute_strategy
        if has_workers(strategy):  # whose clocks differ, and who must all take part
            if step % _STEPS_TO_AGREE and self.progress.epoch_steps:
                return
            is_due, ends = (bool(count) for count in sums_over_workers(strategy, [is_due, ends]))
        if is_due or ends:
            self._save()
        if ends:
            if self.checkpoints.writes:
                said = f"Told to end, and saved at step {step} in {self.checkpoints.folder}: the same call goes on."
                print(said, file=sys.stderr, flush=True)
            raise SystemExit(_EXIT_CODE)

    def save_end(self):
        """Saves what other callbacks have left at the end of the training."""
        if self.stopped:  # by a callback, which would not know next time
            self.progress.notes["is_over"] = True
        if self.stopped or self._saved_step != self.progress.step:
            self._save()

    def _save(self):
        self.checkpoints.save(self.progress, self.rule.keep)
        self._saved_step = self.progress.step
        self._last_save = time.monotonic()

    def _count_seconds(self):
        now = time.monotonic()
        self.progress.seconds += now - self._clock
        self._clock = now


def _is_count(value):
    return isinstance(value, numbers.Integral) and not isinstance(value, bool) and value >= 1
