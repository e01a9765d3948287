"""What task models share that read a long text in windows."""

import keras
import numpy as np
import tensorflow as tf

from keras_bert.data.inputs import check_counts, checked_features
from keras_bert.data.token_budget import row_batches
from keras_bert.models.row_parts import compute_in_parts
from keras_bert.models.task import Task


class WindowedTask(Task):
    """Base of the tasks that say something about the tokens of a text. Not made by users.

    A row's outputs are as wide as the row; here they are brought to one width, and into order.
    """

    def predict_ready(self, x: dict, batch_size: int | None, verbose, **kwargs):
        """Gives the logits of ready inputs, as `keras.Model.predict` does."""
        check_counts(batch_size=batch_size)
        return self.predict_batches(checked_features(x), batch_size or 32, verbose, **kwargs)

    def predict_windows(self, inputs: dict, batch_size: int | None, **kwargs):
        """Computes windows in batches of about equal work.

        Args:
            inputs: dict of int tensors `(W, T)`.
            batch_size: int, or None: about 2,048 tokens a batch.
            **kwargs: `keras.Model.predict`'s.

        Returns:
            The outputs, arrays `(W, T, ...)`.
        """
        dataset, order = row_batches(inputs, batch_size, trim=self._padding is None)
        outputs = self.predict_batches(dataset, verbose=0, **kwargs)
        back, width = np.argsort(order), inputs["token_ids"].shape[1]
        return tf.nest.map_structure(lambda output: output[back, :width], outputs)

    def predict_step(self, data):
        x, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        outputs = self(x, training=False)
        if self.preprocessor is None:
            return outputs
        # Batches of one width, so that Keras can join them.
        width = tf.maximum(self.preprocessor.sequence_length, tf.shape(x["token_ids"])[1])
        return tf.nest.map_structure(lambda output: _widen(output, width), outputs)

    def window_outputs(self, inputs: dict):
        """Computes a few windows at a time, longest first, so that a long text needs no more memory than a short one.

        Args:
            inputs: dict of int tensors `(W, T)`, in the graph.

        Returns:
            The outputs, tensors `(W, T, ...)`.
        """
        width = tf.shape(inputs["token_ids"])[1]

        def compute(some):
            return tf.nest.map_structure(lambda output: _widen(output, width), self(some, training=False))

        specs = tf.nest.map_structure(lambda x: tf.TensorSpec((None, None, *x.shape[2:])), self.output)
        return compute_in_parts(compute, inputs, specs)


def _widen(output, width):
    return tf.pad(output, [[0, 0], [0, width - tf.shape(output)[1]]] + [[0, 0]] * (output.shape.rank - 2))
