"""What all task models share: strings in `fit`, `predict` and `export`, and the one train step."""

import os

import keras
import numpy as np
import tensorflow as tf

from keras_bert.data.examples import example_epochs, split
from keras_bert.data.inputs import check_counts, checked_features, holds_pairs, row_count
from keras_bert.data.token_budget import portions, prediction_batches
from keras_bert.models.adaptation import Adaptation
from keras_bert.models.exporting import Exporting
from keras_bert.models.fitting import FittedTask
from keras_bert.models.saving import Saving
from keras_bert.training.saving import SaveRule

# Texts that are answered at once: hardly any of them is padding, and Keras' loop would take longer than they do.
_FEW = 32


class Task(Adaptation, Saving, Exporting, FittedTask):
    """Base of the task models; a task adds its graph, its losses, its labels and the decoding of its answers.

    Not made by users. A task calls `start(encoder, preprocessor)` after `super().__init__`, and defines
    `default_losses`, `default_metrics`, `encode_labels`, and what `Saving` and `Exporting` need.
    """

    def start(self, encoder, preprocessor) -> None:
        """Keeps the parts and compiles with BERT's defaults.

        Args:
            encoder: `BertEncoder`.
            preprocessor: `BertPreprocessor`, or None for a model that takes ready inputs only.
        """
        self.encoder = encoder
        self.preprocessor = preprocessor
        self.dtype_policy = encoder.dtype_policy
        self.compile()

    def fit(
        self,
        x=None,
        y=None,
        batch_size: int | None = None,
        epochs: int = 1,
        validation_split: float = 0.0,
        validation_data=None,
        shuffle: bool = True,
        class_weight: dict | None = None,
        sample_weight=None,
        steps_per_epoch: int | None = None,
        initial_epoch: int = 0,
        validation_batch_size: int | None = None,
        checkpoint: str | os.PathLike | None = None,
        save_rule: SaveRule | None = None,
        **kwargs,
    ):
        """Trains on texts, pairs of texts, ready inputs, or a dataset of them.

        Args:
            x: list of str, pairs `(a, b)`, a dict of arrays, or a `tf.data.Dataset` of `(x, y)` or
                `(x, y, sample_weight)`; pairs in a dataset are `((a, b), y)`.
            y: labels, as the task takes them.
            batch_size: int, default 32.
            epochs: int, default 1.
            validation_split: float, default 0. Share at the end of the examples that is held out.
            validation_data: as `x`, or `(x, y)`, or `(x, y, sample_weight)`.
            shuffle: bool, default True. Not done to a dataset.
            class_weight: dict of label or index to float, optional.
            sample_weight: floats `(n,)`, optional.
            steps_per_epoch: int, optional.
            initial_epoch: int, default 0.
            validation_batch_size: int, optional. Defaults to `batch_size`.
            checkpoint: str or path, optional. A folder to which the training is saved, and from which the same call
                goes on after a kill, to the weights of a run without one.
            save_rule: `keras_bert.training.SaveRule`, optional. When it is saved; by default every ten minutes.
            **kwargs: `keras.Model.fit`'s.

        Returns:
            `keras.callbacks.History`.

        Raises:
            ValueError: for inputs or labels that cannot be used: which, and what to do.
        """
        self.check_trains()
        check_counts(
            batch_size=batch_size, steps_per_epoch=steps_per_epoch, validation_batch_size=validation_batch_size
        )
        if validation_split and validation_data is None:
            (x, y, sample_weight), validation_data = self._split(x, y, sample_weight, validation_split)
        of_epoch = self._epochs(x, y, sample_weight, batch_size, class_weight, training=True)
        given = self._holds_pairs(x)
        self.pairs = self.pairs if given is None else given
        if validation_data is not None:
            if not isinstance(validation_data, tuple):
                validation_data = (validation_data,)
            if len(validation_data) not in (1, 2, 3):
                raise ValueError(f"`validation_data` must be (x, y). Received: a tuple of {len(validation_data)}.")
            dev_x, dev_y, dev_weight = (*validation_data, None, None)[:3]
            validation_data = self._epochs(dev_x, dev_y, dev_weight, validation_batch_size or batch_size)()
        return self.fit_epochs(
            of_epoch,
            seed=self.order_seed() if shuffle else None,
            epochs=epochs,
            initial_epoch=initial_epoch,
            is_whole=self._is_whole(x),
            steps_per_epoch=steps_per_epoch,
            validation_data=validation_data,
            examples=(x, y, sample_weight),
            batch_size=batch_size,
            settings={"class_weight": class_weight and {str(name): value for name, value in class_weight.items()}},
            checkpoint=checkpoint,
            save_rule=save_rule,
            **kwargs,
        )

    def evaluate(self, x=None, y=None, batch_size: int | None = None, sample_weight=None, **kwargs):
        """Measures loss and metrics on texts, pairs of texts, ready inputs, or a dataset of them.

        Args:
            x: as in `fit`.
            y: as in `fit`.
            batch_size: int, default 32.
            sample_weight: floats `(n,)`, optional.
            **kwargs: `keras.Model.evaluate`'s.

        Returns:
            List of the loss and the metrics, or a dict with `return_dict=True`.
        """
        if not kwargs.get("_use_cached_eval_dataset"):  # `fit` has made the batches already
            check_counts(batch_size=batch_size)
            x, kwargs["steps"] = self.spread(self._epochs(x, y, sample_weight, batch_size)(), kwargs.get("steps"))
            y = sample_weight = None
        return super().evaluate(x, y, sample_weight=sample_weight, **kwargs)

    def predict(self, x, batch_size: int | None = None, verbose="auto", **kwargs) -> np.ndarray:
        """Answers texts, in order; within a portion they are sorted by length, so that no batch is mostly padding.

        Args:
            x: list of str, pairs, a dict of arrays, or a `tf.data.Dataset` of them, with or without labels.
            batch_size: int, optional. Rows a batch; by default a batch holds about 2,048 tokens.
            verbose: as in `keras.Model.predict`.
            **kwargs: `keras.Model.predict`'s.

        Returns:
            Array with a row for each text, as the task describes it.
        """
        check_counts(batch_size=batch_size)
        parts = []
        for features in self._portions(x):
            few = row_count(features) <= _FEW and self.distribute_strategy.num_replicas_in_sync == 1
            if few and batch_size is None and verbose in ("auto", 0) and not kwargs:
                parts.append(self._predict_at_once(features))
                continue
            dataset, order = prediction_batches(features, self.packer, batch_size, self._padding)
            answers = self.predict_batches(dataset, verbose=verbose, **kwargs)
            parts.append(answers[np.argsort(order)])
        if not parts:
            nothing = {name: tf.zeros((*[0] * (len(x.shape) - 1), 3), tf.int32) for name, x in self.input.items()}
            return keras.ops.convert_to_numpy(self.activate(self(nothing, training=False)))
        return np.concatenate(parts)

    def _predict_at_once(self, features):
        if not isinstance(features, dict):
            features = self.packer.pack(self.packer.tokenize(features), self._padding)
        return self.predict_on_batch(features)

    def predict_step(self, data):
        x, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        return self.activate(self(x, training=False))

    def check_reads_texts(self, batch_size: int | None = None) -> None:
        """Refuses texts for a model without a preprocessor, and sizes of batches that there are not."""
        check_counts(batch_size=batch_size)
        if self.preprocessor is None:
            raise ValueError("A model without a preprocessor takes dicts of encoder inputs. Received: texts.")

    @property
    def packer(self):
        """What lays texts out in rows: has the preprocessor's `tokenize`, `lengths` and `pack`."""
        return self.preprocessor

    def check_inputs(self, x):
        """Turns texts or ready inputs into tensors, or says what is wrong with them."""
        return checked_features(x)

    @property
    def _padding(self):
        return "fixed" if self.jit_compile else None

    def _is_whole(self, x):
        return not isinstance(x, tf.data.Dataset)

    def _holds_pairs(self, x):
        return holds_pairs(x)

    def _split(self, x, y, sample_weight, share):
        return split(x, y, sample_weight, share, self.check_inputs)

    def _portions(self, x):
        return portions(x, self.preprocessor, self.pairs, self.check_inputs)

    def _epochs(self, x, y, sample_weight, batch_size, class_weight=None, training=False):
        return example_epochs(
            x,
            y,
            sample_weight,
            preprocessor=self.packer,
            encode_labels=self.encode_labels,
            check=self.check_inputs,
            class_weight=self.class_weights(class_weight),
            batch_size=batch_size,
            padding=self._padding,
            rows_multiple=self.distribute_strategy.num_replicas_in_sync,
        )
