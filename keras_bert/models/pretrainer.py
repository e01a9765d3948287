"""Masked tokens and next sentences: how BERT learns from raw text."""

import os

import keras
from keras import ops

from keras_bert.data.steps import with_known_steps
from keras_bert.layers.pooler import SplitPositions
from keras_bert.metrics.vocabulary import VocabularyAccuracy, VocabularyCrossentropy
from keras_bert.models.adaptation import Adaptation
from keras_bert.models.encoder import BertEncoder
from keras_bert.models.fitting import FittedTask
from keras_bert.models.positions import hidden_at, masked_lm_head
from keras_bert.models.saving import Saving, preset_parts
from keras_bert.models.weights import assign_weights, dense_weights, masked_lm_weights
from keras_bert.text.preprocessor import BertPreprocessor, check_fits
from keras_bert.training.saving import SaveRule


@keras.saving.register_keras_serializable("keras_bert")
class BertPretrainer(Adaptation, Saving, FittedTask):
    """Learns an encoder from raw text: guesses masked tokens, and whether a second segment followed the first.

    The last layer computes the masked and the first positions only: nothing else is read.

    Args:
        encoder: `BertEncoder`.
        preprocessor: `BertPreprocessor`, optional. Kept for `save_to_preset`.
        next_sentence: bool, default True. `False` leaves out the next-sentence head.
        **kwargs: `keras.Model`'s.

    Call arguments:
        inputs: dict of int tensors: `token_ids`, `segment_ids`, `padding_mask` `(B, T)`; `mask_positions` `(B, P)`, the
            positions to guess; `cls_positions` `(B, K)`, the first position of every example of a packed row.
        training: bool.

    Returns:
        dict of float tensors: `masked_lm_logits` `(B, P, V)` and `next_sentence_logits` `(B, K, 2)`; class 0 is "it
        follows", 1 "it does not", as in the released models.

    Example:
    >>> encoder = keras_bert.BertEncoder(vocabulary_size=100, **keras_bert.SIZES["tiny"])
    >>> pretrainer = BertPretrainer(encoder)
    >>> ids = np.array([[2, 17, 4, 3, 21, 3]])
    >>> inputs = {"token_ids": ids, "segment_ids": 0 * ids, "padding_mask": 0 * ids + 1}
    >>> inputs |= {"mask_positions": np.array([[2]]), "cls_positions": np.array([[0]])}
    >>> pretrainer(inputs)["masked_lm_logits"].shape
    TensorShape([1, 1, 100])

    Reference:
        Devlin et al., 2018 (https://arxiv.org/abs/1810.04805), section 3.1.
    """

    preset_task = "pretrainer"

    def __init__(
        self,
        encoder: BertEncoder,
        preprocessor: BertPreprocessor | None = None,
        next_sentence: bool = True,
        **kwargs,
    ):
        if preprocessor is not None:
            check_fits(preprocessor, **encoder.arguments)
        dtype = encoder.dtype_policy

        # Layers
        split_positions = SplitPositions(dtype=dtype, name="split_positions")
        lm_head = masked_lm_head(encoder)
        next_sentence_layer = keras.layers.Dense(
            2,
            kernel_initializer=keras.initializers.TruncatedNormal(stddev=0.02),
            dtype="float32",
            name="next_sentence_logits",
        )

        # Graph
        inputs = dict(encoder.input)
        for name in ("mask_positions", "cls_positions"):
            inputs[name] = keras.Input((None,), dtype="int32", name=name)
        lists = [inputs["cls_positions"], inputs["mask_positions"]]
        first, masked = split_positions(hidden_at(encoder, inputs, ops.concatenate(lists, axis=1)), lists)
        outputs = {"masked_lm_logits": lm_head(masked)}
        if next_sentence:
            outputs["next_sentence_logits"] = next_sentence_layer(encoder.pooler(first))
        super().__init__(inputs=inputs, outputs=outputs, **{"name": "bert_pretrainer", **kwargs})

        # Arguments
        self.encoder = encoder
        self.preprocessor = preprocessor
        self.next_sentence = next_sentence
        self.masked_lm_head, self.next_sentence_layer = lm_head, next_sentence_layer
        self.loss_trackers = {name: keras.metrics.Mean(f"{name}_loss") for name in outputs}
        self.dtype_policy = dtype
        self.compile()

    def default_losses(self):
        """Of each head the mean over the predictions that count."""
        return {name: VocabularyCrossentropy() for name in self.output}

    def default_metrics(self):
        """None that leaves the weights of the predictions out."""
        return []

    def default_weighted_metrics(self):
        """Of each head the accuracy; `loss_trackers` tell its loss."""
        # Keras puts the output's name before the metric's where there are several outputs, and only there.
        return {
            name: [VocabularyAccuracy("accuracy" if self.next_sentence else f"{name}_accuracy")]
            for name in self.output
        }

    def fit(
        self,
        x,
        epochs: int = 1,
        steps_per_epoch: int | None = None,
        initial_epoch: int = 0,
        checkpoint: str | os.PathLike | None = None,
        save_rule: SaveRule | None = None,
        **kwargs,
    ):
        """Trains on batches of masked rows.

        Args:
            x: `tf.data.Dataset` of (inputs, labels, weights): labels and weights are dicts by the outputs' names.
            epochs: int, default 1.
            steps_per_epoch: int, optional. Needed where the dataset does not end.
            initial_epoch: int, default 0.
            checkpoint: str or path, optional. As in `BertClassifier.fit`; the dataset must give the same each time
                (what was trained on is read again: `keras_bert.training.fit_with_resume` begins anywhere).
            save_rule: `keras_bert.training.SaveRule`, optional.
            **kwargs: `keras.Model.fit`'s.

        Returns:
            `keras.callbacks.History`.
        """
        if not hasattr(x, "element_spec"):
            raise ValueError(
                f"Pre-training takes a dataset of masked rows. Received: {type(x).__name__}. Make one by "
                "keras_bert.data.pretraining_batches."
            )
        if checkpoint is not None or save_rule is not None:
            return self.fit_epochs(
                lambda epoch, seed: x,
                seed=None,
                epochs=epochs,
                initial_epoch=initial_epoch,
                steps_per_epoch=steps_per_epoch,
                examples=(x,),
                checkpoint=checkpoint,
                save_rule=save_rule,
                **kwargs,
            )
        if steps_per_epoch is None:
            x = with_known_steps(x)
        if self._automatic["optimizer"]:
            self.set_schedule((steps_per_epoch or int(x.cardinality())) * (epochs - initial_epoch))
        return super().fit(
            x,
            epochs=epochs,
            steps_per_epoch=steps_per_epoch,
            initial_epoch=initial_epoch,
            shuffle=False,
            **kwargs,
        )

    def head_weights(self) -> dict:
        """Names the weights that are not the encoder's."""
        named = masked_lm_weights(self.masked_lm_head)
        if self.next_sentence:
            named |= dense_weights("cls.seq_relationship", self.next_sentence_layer)
        return named

    def head_config(self) -> dict:
        """Gives the arguments beside encoder and preprocessor."""
        return {"next_sentence": self.next_sentence}

    @classmethod
    def from_preset(
        cls,
        preset: str | os.PathLike,
        next_sentence: bool | None = None,
        load_weights: bool = True,
        dtype=None,
        **encoder_overrides,
    ) -> "BertPretrainer":
        """Builds a pretrainer from a preset, to go on from its weights: heads that it does not hold are new.

        Args:
            preset: str or path. A directory, `hf://owner/repo`, `kaggle://...` or a KerasHub name.
            next_sentence: bool, optional. Defaults to what the preset was trained with, else True.
            load_weights: bool, default True. `False` gives the architecture with random weights.
            dtype: str or `keras.DTypePolicy`, optional. "mixed_bfloat16", for example.
            **encoder_overrides: arguments of `BertEncoder` in the place of the preset's.

        Returns:
            `BertPretrainer`.

        Raises:
            ValueError: no such preset, or parts that are missing or do not fit.
        """
        encoder, preprocessor, config, weights = preset_parts(preset, load_weights, None, dtype, encoder_overrides)
        if next_sentence is None:
            next_sentence = config["head"].get("next_sentence", True)
        pretrainer = cls(encoder, preprocessor, next_sentence)
        if weights is not None:
            assign_weights(pretrainer.named_weights(), weights, optional=("pooler.", "cls."))
        return pretrainer
