"""How a masked language model learns from raw texts."""

import math

import tensorflow as tf

from keras_bert.data.inputs import MASKS, gives_ready_inputs, row_count, single_texts
from keras_bert.data.masked_rows import checked_masks, masked_epochs, ready_epochs
from keras_bert.models.task import Task


class MaskedTraining(Task):
    """Base of `BertMaskedLM`: strings in `fit` and `evaluate`. Not made by users."""

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
        """Trains on raw texts: a share of their tokens is hidden, others in every epoch, and guessed.

        A text that does not fit into a row is cut into several. The same seed hides the same tokens at the same step,
        also where a later `fit` begins at `initial_epoch`.

        Args:
            x: list of str, or a `tf.data.Dataset` of strings, one an element or batches of them; or rows that are
                masked already, a dict of arrays or a dataset of dicts: the encoder's inputs `(n, T)`,
                `mask_positions`, `mask_ids` (what stood there) and `mask_weights` (0 for filling), all `(n, P)`.
            y: None. Texts are all there is to learn from.
            batch_size: int, default 32. Rows a batch.
            epochs: int, default 1.
            validation_split: float, default 0. Share at the end of the texts that is held out.
            validation_data: as `x`. Its masks are the same every time.
            **kwargs: of the other tasks' `fit` (`shuffle`, `checkpoint`, ...) and `keras.Model.fit`'s.

        Returns:
            `keras.callbacks.History`. Loss and accuracy are means over the hidden tokens.

        Raises:
            ValueError: for inputs that cannot be used: which, and what to do.
        """
        return super().fit(x, y, batch_size, epochs, validation_split, validation_data, **kwargs)

    def _split(self, x, y, sample_weight, share):
        if isinstance(x, tf.data.Dataset):
            raise ValueError("`validation_split` needs texts or arrays. Received: a dataset. Use `take` and `skip`.")
        x = checked_masks(x, MASKS) if isinstance(x, dict) else single_texts(x)
        rows = row_count(x)
        kept = math.floor(rows * (1 - share))
        if not 0 < share < 1 or kept in (0, rows):
            raise ValueError(
                f"`validation_split` must leave examples on both sides. Received: {share} of {rows} texts."
            )
        parts = (tf.nest.map_structure(lambda t, part=part: t[part], x) for part in (slice(kept), slice(kept, rows)))
        return tuple((part, y, sample_weight) for part in parts)

    def order_seed(self):
        """Gives the seed of the masks: then the order, too, depends on nothing else."""
        return self.seed, 0

    def _is_whole(self, x):
        return are_texts(x) or super()._is_whole(x)

    def _epochs(self, x, y, sample_weight, batch_size, class_weight=None, training=False):
        _check_alone(y, sample_weight, class_weight)
        multiple = self.distribute_strategy.num_replicas_in_sync
        spec = x.element_spec if isinstance(x, tf.data.Dataset) else None
        if isinstance(spec, tuple) and isinstance(spec[0], dict):  # batches, complete
            return lambda epoch=0, seed=None: x
        if not are_texts(x):
            return ready_epochs(x, batch_size or 32, multiple)
        self.check_reads_texts(batch_size)
        return masked_epochs(
            x,
            self.preprocessor,
            seed=(self.seed, int(not training)),
            batch_size=batch_size or 32,
            mask_rate=self.mask_rate,
            mask_unit=self.mask_unit,
            padding=self._padding,
            rows_multiple=multiple,
        )


def are_texts(x) -> bool:
    """Tells whether examples are raw texts, and not a model's inputs.

    Args:
        x: as in `fit`.

    Returns:
        bool.
    """
    return not (gives_ready_inputs(x) if isinstance(x, tf.data.Dataset) else isinstance(x, dict))


def _check_alone(y, sample_weight, class_weight):
    if y is not None or sample_weight is not None or class_weight is not None:
        raise ValueError(
            "Masked tokens are their own labels. Received: `y`, `sample_weight` or `class_weight`. Leave them out; "
            "`mask_weights` of ready inputs are weights."
        )
