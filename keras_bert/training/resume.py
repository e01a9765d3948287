"""`fit` that a kill cannot hurt: it goes on where the last checkpoint is, to the same last weight."""

import contextlib
import time
from collections.abc import Callable, Sequence

import keras
import tensorflow as tf

from keras_bert.training.checkpoints import Checkpoints, Progress


def fit_with_resume(
    model: keras.Model,
    batches: Callable[[int], tf.data.Dataset],
    *,
    steps: int,
    steps_per_epoch: int,
    checkpoints: Checkpoints,
    minutes_between_saves: float = 10.0,
    notes: dict | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    **kwargs,
) -> Progress:
    """Trains up to a step, from the newest checkpoint on if there is one.

    Run again after an interruption, it ends with the weights, the optimizer and the metrics of a run that was never
    interrupted: bit by bit where the operations are deterministic
    (`tf.config.experimental.enable_op_determinism()`).

    An optimizer's moving average of the weights goes on too; the model keeps the weights as they are trained. After the
    last call `model.optimizer.finalize_variable_values(model.trainable_variables)` sets them to the average.

    Args:
        model: `keras.Model`, compiled with an optimizer whose schedule is that of the whole training.
        batches: callable from the number of a step to the endless dataset that begins with the batch of that step.
        steps: int. Updates in all, those of earlier runs included.
        steps_per_epoch: int. Updates after which logs are written and `validation_data` is evaluated.
        checkpoints: `Checkpoints`.
        minutes_between_saves: float, default 10. There is always one more at the end.
        notes: dict, optional. Added to the notes of the progress, which are saved with it.
        callbacks: sequence of `keras.callbacks.Callback`.
        **kwargs: `keras.Model.fit`'s: `validation_data`, `verbose`, ...

    Returns:
        `Progress`, with the logs of all epochs.

    Example:
    >>> fit_with_resume(model, lambda step: pretraining_batches(manifest, batch_size=32, first_step=step),
    ...                 steps=10_000, steps_per_epoch=1000, checkpoints=Checkpoints("output/checkpoints", model))
    """
    progress = checkpoints.find()
    progress.notes |= notes or {}
    _make_variables(model, batches(progress.step).element_spec)
    restorer = _Restorer(checkpoints, progress)
    keeper = _Keeper(checkpoints, progress, 60 * minutes_between_saves)
    while progress.step < steps and not keeper.stopped:
        epoch = len(progress.history)
        todo = min(steps_per_epoch - progress.epoch_steps, steps - progress.step)
        # A part of an epoch is a `fit` of its own; whole epochs are one together.
        whole = (steps - progress.step) // steps_per_epoch if todo == steps_per_epoch else 1
        with _weights_as_trained(model.optimizer):
            model.fit(
                batches(progress.step),
                initial_epoch=epoch,
                epochs=epoch + whole,
                steps_per_epoch=todo,
                callbacks=[restorer, *callbacks, keeper],
                **kwargs,
            )
    return progress


@contextlib.contextmanager
def _weights_as_trained(optimizer):
    """Keeps `fit` from setting the weights to their average at its end, which is not the training's end here."""
    optimizer.finalize_variable_values = lambda variables: None
    try:
        yield
    finally:
        del optimizer.finalize_variable_values


def _make_variables(model, element_spec):
    """Makes the variables of optimizer and metrics.

    Keras makes them in the first step, which it then traces twice, and where it is too late to restore them.
    """
    with model.distribute_strategy.scope():
        model.optimizer.build(model.trainable_variables)
        if tf.distribute.has_strategy():  # Keras makes those of the metrics itself
            return
    x, y, weights = tf.nest.map_structure(lambda spec: tf.zeros([1, *spec.shape[1:]], spec.dtype), element_spec)
    model.compute_metrics(x, y, model(x, training=False), weights)
    model.reset_metrics()


class _Restorer(keras.callbacks.Callback):
    """Restores once, when the first epoch begins."""

    def __init__(self, checkpoints, progress):
        super().__init__()
        self.checkpoints, self.progress = checkpoints, progress
        self.is_restored = progress.step == 0

    def on_epoch_begin(self, epoch, logs=None):
        # Not earlier: Keras sets the metrics to 0 when an epoch begins.
        if not self.is_restored:
            self.checkpoints.restore(self.progress)
            self.is_restored = True
            if self.progress.epoch_steps == 0:
                self.model.reset_metrics()


class _Keeper(keras.callbacks.Callback):
    """Counts the steps, keeps the logs, and saves now and then. After other callbacks: they add to the logs."""

    def __init__(self, checkpoints, progress, seconds_between_saves):
        super().__init__()
        self.checkpoints, self.progress = checkpoints, progress
        self.seconds_between_saves = seconds_between_saves
        self.stopped = False
        self._last_save = time.monotonic()
        self._saved_step = progress.step

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
        logs = {name: float(value) for name, value in (logs or {}).items()}
        self.progress.history.append({"step": self.progress.step, **logs})
        self.progress.epoch_steps = 0
        self._count_seconds()
        self._save_if_due()

    def on_train_end(self, logs=None):
        self.stopped = self.model.stop_training
        if self._saved_step != self.progress.step:
            self._save()

    def _save_if_due(self):
        if time.monotonic() - self._last_save >= self.seconds_between_saves:
            self._save()

    def _save(self):
        self.checkpoints.save(self.progress)
        self._saved_step = self.progress.step
        self._last_save = time.monotonic()

    def _count_seconds(self):
        now = time.monotonic()
        self.progress.seconds += now - self._clock
        self._clock = now
