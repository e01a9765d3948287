"""How an embedder trains: on pairs of texts, each text in a row of its own."""

import tensorflow as tf
from keras import ops

from keras_bert.data.examples import example_epochs, split
from keras_bert.data.inputs import INPUTS, gives_ready_inputs
from keras_bert.data.pair_examples import PairRows, checked_pairs, has_scores, labelled
from keras_bert.models.pair_objective import PairAccuracy, PairCorrelation, PairLoss, are_scores
from keras_bert.models.task import Task


class PairTraining(Task):
    """Base of `BertEmbedder`: pairs in `fit` and `evaluate`. Not made by users."""

    def fit(
        self,
        x=None,
        y=None,
        batch_size: int | None = None,
        epochs: int = 1,
        validation_split: float = 0.0,
        validation_data=None,
        **kwargs,
    ):
        """Trains on pairs of texts, with scores or without.

        With scores the cosine of a pair's embeddings becomes its score. Without, each first text learns to find its
        own second text among all second texts of the batch: larger batches teach more, and the same text should not
        stand in a batch twice. The batch counts whole, on all replicas.

        Args:
            x: pairs, a tuple `(a, b)` of two lists of str or a list of pairs; ready inputs, a dict of arrays
                `(n, 2, T)`; or a `tf.data.Dataset` of (a, b), ((a, b), score) or ((a, b), score, sample_weight).
            y: floats `(n,)` from -1 to 1, optional. The scores.
            batch_size: int, default 32.
            epochs: int, default 1.
            validation_split: float, default 0. Share at the end of the pairs that is held out.
            validation_data: as `x`, `(x, y)` or `(x, y, sample_weight)`; may have scores where `x` has none.
            **kwargs: of the other tasks' `fit` (`shuffle`, `sample_weight`, ...) and `keras.Model.fit`'s.

        Returns:
            `keras.callbacks.History`. Of pairs without scores `accuracy` is the share of first texts to which their own
            second text is the closest of the batch; of pairs with scores `pearson` is the correlation of the cosines
            with them.

        Raises:
            ValueError: for texts or scores that cannot be used: which, and what to do.
        """
        if self.gradient_accumulation_steps > 1 and not has_scores(x, y):
            raise ValueError(
                "Pairs without scores learn from the whole batch, so it cannot be computed in parts. Received: "
                f"gradient_accumulation_steps={self.gradient_accumulation_steps}. Compile without it, or give scores."
            )
        if isinstance(validation_data, tuple) and len(validation_data) == 2 and _are_texts(validation_data[0]):
            validation_data = (validation_data,)  # (a, b), and not (x, y)
        return super().fit(x, y, batch_size, epochs, validation_split, validation_data, **kwargs)

    def train_step(self, data):
        return self._of_kind(super().train_step(data), data)

    def test_step(self, data):
        return self._of_kind(super().test_step(data), data)

    def get_metrics_result(self):
        results = super().get_metrics_result()
        if tf.executing_eagerly():
            # What has seen nothing has nothing to say: pairs with scores and without are measured differently.
            silent = [metric.name for metric in self._pair_metrics() if not float(ops.convert_to_numpy(metric.count))]
            results = {name: value for name, value in results.items() if name not in silent}
        return results

    def default_losses(self):
        """The squared error of the cosine, or the cross-entropy among the pairs of the batch."""
        return PairLoss(self.temperature)

    def default_metrics(self):
        """One for pairs without scores, one for pairs with them."""
        return [PairAccuracy("accuracy"), PairCorrelation("pearson")]

    def encode_labels(self, values):
        """Gives labels as they are: `labelled` has encoded them."""
        return values

    def class_weights(self, class_weight):
        """Refuses weights by class: there are none."""
        if class_weight is not None:
            raise ValueError("Pairs have no classes. Received: class_weight. Use sample_weight.")

    def _of_kind(self, logs, data):
        """Leaves out of the logs what the other kind of pairs is measured by."""
        other = PairAccuracy if are_scores(data[1]) else PairCorrelation
        names = [metric.name for metric in self._pair_metrics() if isinstance(metric, other)]
        return {name: value for name, value in logs.items() if name not in names}

    def _pair_metrics(self):
        found = [part for metric in self.metrics for part in getattr(metric, "metrics", [metric])]
        return [metric for metric in found if isinstance(metric, (PairAccuracy, PairCorrelation))]

    def _holds_pairs(self, x):
        return None

    def _split(self, x, y, sample_weight, share):
        if isinstance(x, tf.data.Dataset):
            return split(x, y, sample_weight, share)
        x, labels, _ = labelled(x, y)
        parts = split(x, labels, sample_weight, share, checked_pairs)
        return parts if y is not None else tuple((part, None, weight) for part, _, weight in parts)

    def _epochs(self, x, y, sample_weight, batch_size, class_weight=None, training=False):
        self.class_weights(class_weight)
        x, y, encode_labels = labelled(x, y)
        if isinstance(x, tf.data.Dataset) and gives_ready_inputs(x) and x.element_spec[0][INPUTS[0]].shape.rank == 2:
            x = x.batch(batch_size or 32)
        return example_epochs(
            x,
            y,
            sample_weight,
            preprocessor=None if self.preprocessor is None else PairRows(self.preprocessor),
            encode_labels=encode_labels,
            check=checked_pairs,
            batch_size=batch_size,
            padding=self._padding,
            rows_multiple=self.distribute_strategy.num_replicas_in_sync,
        )


def _are_texts(x):
    """Tells a list of texts from what stands for `x` beside `y`."""
    if isinstance(x, (dict, tuple, tf.data.Dataset)):
        return False
    return not len(x) or isinstance(x[0], (str, bytes)) or tf.is_tensor(x)
