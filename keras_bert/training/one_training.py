"""What callbacks see of a training that is computed in several parts."""

from collections.abc import Sequence

import keras


class OneTraining(keras.callbacks.Callback):
    """Passes on to callbacks what happens, but for the beginnings and ends of the parts of a training.

    An epoch that a kill has cut is a `fit` of its own: `CSVLogger` would begin its file anew after it, and
    `EarlyStopping` bring weights back.

    Args:
        callbacks: sequence of `keras.callbacks.Callback`.
    """

    def __init__(self, callbacks: Sequence[keras.callbacks.Callback]):
        super().__init__()
        self.callbacks = callbacks
        self.has_begun = False

    def set_model(self, model):
        super().set_model(model)
        self._tell("set_model", model)

    def set_params(self, params):
        super().set_params(params)
        self._tell("set_params", params)

    def on_train_begin(self, logs=None):
        if not self.has_begun:
            self._tell("on_train_begin", logs)
        self.has_begun = True

    def end(self):
        """Tells that the whole has ended."""
        self._tell("on_train_end", {})

    def on_epoch_begin(self, epoch, logs=None):
        self._tell("on_epoch_begin", epoch, logs)

    def on_epoch_end(self, epoch, logs=None):
        self._tell("on_epoch_end", epoch, logs)

    def on_train_batch_begin(self, batch, logs=None):
        self._tell("on_train_batch_begin", batch, logs)

    def on_train_batch_end(self, batch, logs=None):
        self._tell("on_train_batch_end", batch, logs)

    def on_test_begin(self, logs=None):
        self._tell("on_test_begin", logs)

    def on_test_end(self, logs=None):
        self._tell("on_test_end", logs)

    def on_test_batch_begin(self, batch, logs=None):
        self._tell("on_test_batch_begin", batch, logs)

    def on_test_batch_end(self, batch, logs=None):
        self._tell("on_test_batch_end", batch, logs)

    def _tell(self, event, *arguments):
        for callback in self.callbacks:
            getattr(callback, event)(*arguments)
