"""The one `fit` behind those of the tasks: epochs of batches, on one device or many, from any step on."""

import functools
import numbers
import os
import random

import keras
import tensorflow as tf

from keras_bert.data.epochs import endless
from keras_bert.data.fingerprint import fingerprint
from keras_bert.data.steps import check_ends, with_known_steps
from keras_bert.models.compilation import CompiledTask
from keras_bert.models.training_settings import training_settings
from keras_bert.training.checkpoints import Checkpoints
from keras_bert.training.distribution import is_chief
from keras_bert.training.resume import check_executions, fit_with_resume
from keras_bert.training.saving import SaveRule
from keras_bert.training.workers import distribute_rows, has_workers, map_on_workers


class FittedTask(CompiledTask):
    """What trains on epochs of batches. Not made by users."""

    def fit_epochs(
        self,
        of_epoch,
        *,
        seed,
        epochs: int,
        initial_epoch: int,
        is_whole: bool = True,
        steps_per_epoch: int | None = None,
        validation_data: tf.data.Dataset | None = None,
        validation_steps: int | None = None,
        checkpoint: str | os.PathLike | None = None,
        save_rule: SaveRule | None = None,
        examples: tuple = (),
        batch_size: int | None = None,
        settings: dict | None = None,
        **kwargs,
    ) -> keras.callbacks.History:
        """Trains on epochs.

        Args:
            of_epoch: callable of the number of an epoch and of a seed; gives a `tf.data.Dataset` of batches.
            seed: two ints, or None: the order of the data.
            epochs: int.
            initial_epoch: int.
            is_whole: bool, default True. Whether the data begins with epoch 0, and not with `initial_epoch`.
            steps_per_epoch: int, optional. By default an epoch is once through the data.
            validation_data: `tf.data.Dataset` of batches, optional.
            validation_steps: int, optional.
            checkpoint: str or path, optional. The folder where the training is saved, and goes on from.
            save_rule: `SaveRule`, optional; by default it is saved every ten minutes.
            examples: tuple of what the user gave: x, y, sample weights.
            batch_size: int, optional. As the user gave it.
            settings: dict, optional. What else must not change in a training that is gone on with; JSON values.
            **kwargs: `keras.Model.fit`'s.

        Returns:
            `keras.callbacks.History`.

        Raises:
            ValueError: no epoch, no example, data without end and no number of steps, or a checkpoint of another
                training.
        """
        for name, count in (("epochs", epochs), ("initial_epoch", initial_epoch)):
            if not isinstance(count, numbers.Integral) or count < 0:
                raise ValueError(f"`{name}` must be a whole number of at least 0. Received: {count!r}.")
        if epochs <= initial_epoch:
            raise ValueError(f"`epochs` must be above `initial_epoch`. Received: {epochs} and {initial_epoch}.")
        if save_rule is not None and checkpoint is None:
            raise ValueError("`save_rule` is for a training that is saved. Received: no `checkpoint`. Name its folder.")
        if validation_data is not None:
            validation_data, validation_steps = self.spread(validation_data, validation_steps, "validation_steps")
        steps = steps_per_epoch or int(with_known_steps(of_epoch(0, seed)).cardinality())
        check_executions(self, steps)
        first_step = None
        if self._automatic["optimizer"]:
            first_step = self.set_schedule(steps * (epochs - initial_epoch))

        def batches(step):
            return distribute_rows(self.distribute_strategy, endless(of_epoch, step, seed))

        kwargs |= {"validation_data": validation_data, "validation_steps": validation_steps, "shuffle": False}
        if checkpoint is None:
            first = batches(initial_epoch * steps if is_whole else 0)
            kwargs |= {"epochs": epochs, "initial_epoch": initial_epoch, "steps_per_epoch": steps}
            return keras.Model.fit(self, first, **kwargs)
        checkpoints = Checkpoints(
            checkpoint,
            self,
            {
                "data": fingerprint(*examples),
                "batch_size": batch_size or 32,
                "epochs": epochs,
                "initial_epoch": initial_epoch,
                "steps_per_epoch": steps,
                "shuffle": seed is not None,
                **training_settings(self),
                **(settings or {}),
            },
            writes=is_chief(self.distribute_strategy),
        )
        progress = checkpoints.find()
        if not progress.is_saved:
            progress.step = initial_epoch * steps
        seed = progress.notes.setdefault("seed", seed)
        if progress.notes.setdefault("first_step", first_step) != first_step:  # this model has trained before
            self.set_schedule(steps * (epochs - initial_epoch), progress.notes["first_step"])
        is_over = progress.notes.get("is_over", False)
        fit_with_resume(
            self,
            batches,
            steps=progress.step if is_over else epochs * steps,
            steps_per_epoch=steps,
            checkpoints=checkpoints,
            save_rule=save_rule,
            progress=progress,
            fit=functools.partial(keras.Model.fit, self),
            **kwargs,
        )
        self.optimizer.finalize_variable_values(self.trainable_variables)  # their average, where that was asked for
        return _as_history(self, progress, initial_epoch)

    def predict_batches(self, x, batch_size: int | None = None, verbose="auto", **kwargs):
        """Does as `keras.Model.predict`; of several workers each answers its part, and all have all answers.

        Args:
            x: `tf.data.Dataset` of batches of inputs, or a dict of arrays.
            batch_size: int, optional, of arrays.
            verbose: as in `keras.Model.predict`; several workers show nothing.
            **kwargs: `keras.Model.predict`'s.

        Returns:
            Nested arrays.
        """
        if not has_workers(self.distribute_strategy):
            return keras.Model.predict(self, x, batch_size, verbose, **kwargs)
        if not isinstance(x, tf.data.Dataset):
            x = tf.data.Dataset.from_tensor_slices(x).batch(batch_size or 32)
        if getattr(self, "_worker_step", None) is None:
            self._worker_step = tf.function(self.predict_step, reduce_retracing=True, autograph=False)
        return map_on_workers(self.distribute_strategy, self._worker_step, x)

    def spread(self, batches: tf.data.Dataset, steps: int | None, argument: str = "steps"):
        """Gives every worker its part of the batches that are evaluated.

        Args:
            batches: `tf.data.Dataset`.
            steps: int, or None for all.
            argument: str, default "steps". What the user calls them.

        Returns:
            What Keras takes, and how many steps to take of it: None where it sees the end.
        """
        if steps is None:
            check_ends(batches, argument)
        if not has_workers(self.distribute_strategy):
            return batches, steps
        steps = steps or int(with_known_steps(batches).cardinality())
        return distribute_rows(self.distribute_strategy, batches.repeat()), steps

    def order_seed(self) -> tuple[int, int]:
        """Draws the seed of the order; `keras.utils.set_random_seed` fixes it."""
        return random.randrange(2**31), random.randrange(2**31)


def _as_history(model, progress, first_epoch):
    """Gives the logs of all epochs, those of earlier runs too, as `keras.Model.fit` does."""
    history = keras.callbacks.History()
    history.set_model(model)
    history.epoch = list(range(first_epoch, first_epoch + len(progress.history)))
    for logs in progress.history:
        for name, value in logs.items():
            if name != "step":
                history.history.setdefault(name, []).append(value)
    return history
