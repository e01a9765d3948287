"""`fit` that a kill cannot hurt: it goes on where the last checkpoint is, to the same last weight."""

import contextlib
from collections.abc import Callable, Sequence

import keras
import tensorflow as tf

from keras_bert.training.checkpoints import Checkpoints, Progress
from keras_bert.training.one_training import OneTraining
from keras_bert.training.saving import Saver, SaveRule
from keras_bert.training.time_budget import TimeBudget


def fit_with_resume(
    model: keras.Model,
    batches: Callable[[int], tf.data.Dataset],
    *,
    steps: int,
    steps_per_epoch: int,
    checkpoints: Checkpoints,
    save_rule: SaveRule | None = None,
    progress: Progress | None = None,
    notes: dict | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    fit: Callable | None = None,
    **kwargs,
) -> Progress:
    """Trains up to a step, from the newest checkpoint on if there is one.

    Run again after an interruption, it ends with the weights, the optimizer and the metrics of a run that was never
    interrupted: bit by bit where the operations are deterministic
    (`tf.config.experimental.enable_op_determinism()`). SIGTERM, by which machines are taken back, ends it with a
    checkpoint after the step that it is in. Other callbacks begin anew: `EarlyStopping` forgets.

    An optimizer's moving average of the weights goes on too; the model keeps the weights as they are trained. After the
    last call `model.optimizer.finalize_variable_values(model.trainable_variables)` sets them to the average.

    Args:
        model: `keras.Model`, compiled with an optimizer whose schedule is that of the whole training.
        batches: callable from the number of a step to the endless dataset that begins with the batch of that step.
        steps: int. Updates in all, those of earlier runs included.
        steps_per_epoch: int. Updates after which logs are written and `validation_data` is evaluated; a multiple of
            the model's `steps_per_execution`.
        checkpoints: `Checkpoints`.
        save_rule: `SaveRule`, optional; by default every ten minutes. There is always one more at the end.
        progress: `Progress`, optional. What `checkpoints.find()` gave, where that was asked already.
        notes: dict, optional. Added to the notes of the progress, which are saved with it.
        callbacks: sequence of `keras.callbacks.Callback`, or one. A `TimeBudget` goes on with what is left of it.
        fit: callable, optional. What trains, in the place of `model.fit`.
        **kwargs: `keras.Model.fit`'s: `validation_data`, `verbose`, ...

    Returns:
        `Progress`, with the logs of all epochs.

    Raises:
        ValueError: steps that do not fit together, no folder to save to, or a checkpoint of another training.
        SystemExit: SIGTERM came; with the code 143.

    Example:
    >>> fit_with_resume(model, lambda step: pretraining_batches(manifest, batch_size=32, first_step=step),
    ...                 steps=10_000, steps_per_epoch=1000, checkpoints=Checkpoints("output/checkpoints", model))
    """
    check_executions(model, steps_per_epoch)
    rule = SaveRule() if save_rule is None else save_rule
    found = progress or checkpoints.find()
    restorer = _Restorer(checkpoints, found)
    found.notes |= notes or {}
    callbacks = [callbacks] if isinstance(callbacks, keras.callbacks.Callback) else list(callbacks or ())
    for callback in callbacks:
        if isinstance(callback, TimeBudget):
            callback.spent = found.seconds
    training = OneTraining(callbacks)
    with Saver(checkpoints, found, rule, kwargs.get("validation_data") is not None) as saver:
        _make_variables(model, batches(found.step))
        says = checkpoints.writes and kwargs.get("verbose", "auto") != 0
        if found.step >= steps:
            restorer.restore()
            if says:
                print(f"Nothing is left to train: the weights are those of step {found.step} in {checkpoints.folder}.")
            return found
        if says and found.is_saved:
            print(f"Goes on from step {found.step} of {steps} in {checkpoints.folder}.")
        checkpoints.check_place()
        while found.step < steps and not saver.stopped:
            epoch = found.step // steps_per_epoch
            todo = min(steps_per_epoch - found.epoch_steps, steps - found.step)
            # A part of an epoch is a `fit` of its own; whole epochs are one together.
            whole = (steps - found.step) // steps_per_epoch if todo == steps_per_epoch else 1
            with _weights_as_trained(model.optimizer):
                (fit or model.fit)(
                    batches(found.step),
                    initial_epoch=epoch,
                    epochs=epoch + whole,
                    steps_per_epoch=todo,
                    callbacks=[restorer, training, saver],
                    **kwargs,
                )
        training.end()
        saver.save_end()
    return found


def check_executions(model: keras.Model, steps_per_epoch: int) -> None:
    """Refuses epochs that end within an execution: their last steps would be trained on twice.

    Args:
        model: `keras.Model`, compiled.
        steps_per_epoch: int.

    Raises:
        ValueError: `steps_per_execution` does not divide the epoch.
    """
    if steps_per_epoch % model.steps_per_execution:
        raise ValueError(
            "`steps_per_execution` must divide the steps of an epoch. "
            f"Received: {model.steps_per_execution}, and {steps_per_epoch} steps. Take a divisor, or give "
            "`steps_per_epoch`."
        )


@contextlib.contextmanager
def _weights_as_trained(optimizer):
    """Keeps `fit` from setting the weights to their average at its end, which is not the training's end here."""
    optimizer.finalize_variable_values = lambda variables: None
    try:
        yield
    finally:
        del optimizer.finalize_variable_values


def _make_variables(model, batches):
    """Makes the variables of optimizer and metrics.

    Keras makes them in the first step, which it then traces twice, and where it is too late to restore them.
    """
    with model.distribute_strategy.scope():
        model.optimizer.build(model.trainable_variables)
        if tf.distribute.has_strategy():  # Keras makes those of the metrics itself
            return
    x, y, weights = tf.nest.map_structure(
        lambda spec: tf.zeros([1, *(2 if size is None else size for size in spec.shape[1:])], spec.dtype),
        batches.element_spec,
    )
    model.compute_metrics(x, y, model(x, training=False), weights)
    model.reset_metrics()


class _Restorer(keras.callbacks.Callback):
    """Restores once, when the first epoch begins."""

    def __init__(self, checkpoints, progress):
        super().__init__()
        self.checkpoints, self.progress = checkpoints, progress
        self.is_restored = not progress.is_saved

    def on_epoch_begin(self, epoch, logs=None):
        # Not earlier: Keras sets the metrics to 0 when an epoch begins.
        if not self.is_restored:
            self.restore()
            if self.progress.epoch_steps == 0:
                self.model.reset_metrics()

    def restore(self):
        if not self.is_restored:
            self.checkpoints.restore(self.progress)
            self.is_restored = True
