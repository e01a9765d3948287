"""Texts with gaps to the tokens that fill them."""

import numbers
import os

import keras

from keras_bert.layers.pooler import SplitPositions
from keras_bert.metrics.vocabulary import VocabularyAccuracy, VocabularyCrossentropy
from keras_bert.models.encoder import BertEncoder
from keras_bert.models.masked_prediction import MaskedPrediction
from keras_bert.models.positions import hidden_at, masked_lm_head
from keras_bert.models.saving import preset_parts
from keras_bert.models.weights import assign_weights, encoder_weights, masked_lm_weights
from keras_bert.text.masking import UNITS
from keras_bert.text.preprocessor import BertPreprocessor, check_fits


@keras.saving.register_keras_serializable("keras_bert")
class BertMaskedLM(MaskedPrediction):
    """Guesses hidden tokens: fills [MASK], judges texts, and adapts an encoder to the language of a domain.

    `predict` fills the masks of texts, `pseudo_perplexity` tells how unexpected texts are, and `fit` learns from raw
    texts as BERT was pre-trained: of a share of their tokens 80 % are hidden, 10 % replaced and 10 % kept, others in
    every epoch. The last layer computes the masked positions only.

    Args:
        encoder: `BertEncoder`.
        preprocessor: `BertPreprocessor`, optional. Without it the model takes ready inputs only.
        mask_rate: float, default 0.15. The share of the tokens that `fit` hides.
        mask_unit: str, default "token": tokens one by one; "whole_word": all pieces of a word; "span": runs of words.
        seed: int, default 0. Decides with the step which tokens are hidden.
        **kwargs: `keras.Model`'s.

    Call arguments:
        inputs: dict of int tensors: `token_ids`, `segment_ids`, `padding_mask` `(B, T)`; `mask_positions` `(B, P)`, the
            positions to guess.
        training: bool.

    Returns:
        Float tensor `(B, P, V)` of logits. `predict` takes texts and gives the tokens that fill them.

    Raises:
        ValueError: for settings that do not fit, or a vocabulary without [MASK].

    Example:
    >>> masked_lm = keras_bert.BertMaskedLM.from_preset("novels_mini_en_uncased")
    >>> masked_lm.predict(["They had been married for twenty [MASK]."], top_k=1)
    [[[{'token': 'years', 'score': 0.84, 'filled': 'They had been married for twenty years.'}]]]
    >>> masked_lm.pseudo_perplexity(["She shook her head and said nothing."])
    array([1.65])
    >>> masked_lm.fit(texts, epochs=3)
    >>> masked_lm.export("serving/words/1")

    Reference:
        Devlin et al., 2018 (https://arxiv.org/abs/1810.04805), section 3.1.
    """

    preset_task = "masked_lm"
    has_pooler = False

    def __init__(
        self,
        encoder: BertEncoder,
        preprocessor: BertPreprocessor | None = None,
        mask_rate: float = 0.15,
        mask_unit: str = "token",
        seed: int = 0,
        **kwargs,
    ):
        if preprocessor is not None:
            check_fits(preprocessor, **encoder.arguments)
            _ = preprocessor.tokenizer.vocabulary.mask_id
        _check_masking(mask_rate, mask_unit, seed)

        # Layers
        lm_head = masked_lm_head(encoder)
        split_positions = SplitPositions(dtype=encoder.dtype_policy, name="split_positions")

        # Graph
        inputs = dict(encoder.input)
        positions = inputs["mask_positions"] = keras.Input((None,), dtype="int32", name="mask_positions")
        (masked,) = split_positions(hidden_at(encoder, inputs, positions), [positions])
        super().__init__(inputs=inputs, outputs=lm_head(masked), **{"name": "bert_masked_lm", **kwargs})

        # Arguments
        self.mask_rate = mask_rate
        self.mask_unit = mask_unit
        self.seed = seed
        self.pairs = False
        self.masked_lm_head = lm_head
        self.start(encoder, preprocessor)

    def default_losses(self):
        """The mean over the hidden tokens."""
        return VocabularyCrossentropy()

    def default_metrics(self):
        """None that leaves the weights of the predictions out."""
        return []

    def default_weighted_metrics(self):
        """The share of the hidden tokens that are guessed."""
        return [VocabularyAccuracy("accuracy")]

    def head_config(self) -> dict:
        """Gives the arguments beside encoder and preprocessor."""
        return {name: getattr(self, name) for name in ("mask_rate", "mask_unit", "seed")}

    def head_weights(self) -> dict:
        """Names the weights that are not the encoder's."""
        return masked_lm_weights(self.masked_lm_head)

    @classmethod
    def from_preset(
        cls,
        preset: str | os.PathLike,
        *,
        load_weights: bool = True,
        sequence_length: int | None = None,
        mask_rate: float | None = None,
        mask_unit: str | None = None,
        seed: int | None = None,
        dtype=None,
        **encoder_overrides,
    ) -> "BertMaskedLM":
        """Builds a masked language model from a preset: one with such a head goes on as it was, others get a new one.

        Args:
            preset: str or path. A directory, a packaged name, `hf://owner/repo`, `kaggle://...` or a KerasHub name.
            load_weights: bool, default True. `False` gives the architecture with random weights.
            sequence_length: int, optional. Longest row, in the place of the preset's.
            mask_rate: float, optional. As in `BertMaskedLM`, in the place of the preset's.
            mask_unit: str, optional. The same.
            seed: int, optional. The same.
            dtype: str or `keras.DTypePolicy`, optional. "mixed_bfloat16", for example.
            **encoder_overrides: arguments of `BertEncoder` in the place of the preset's.

        Returns:
            `BertMaskedLM`.

        Raises:
            ValueError: no such preset, or parts that are missing or do not fit.
        """
        encoder, preprocessor, config, weights = preset_parts(
            preset, load_weights, sequence_length, dtype, encoder_overrides
        )
        settings = dict(config["head"]) if config.get("task") == cls.preset_task else {}
        given = {"mask_rate": mask_rate, "mask_unit": mask_unit, "seed": seed}
        settings |= {name: value for name, value in given.items() if value is not None}
        masked_lm = cls(encoder, preprocessor, **settings)
        if weights is not None:
            if "cls.predictions.decoder.weight" in weights:
                raise ValueError(
                    "The token table must be the head's last layer too. Received: "
                    f"cls.predictions.decoder.weight with other values in {os.fspath(preset)!r}. Tie the two."
                )
            # A pooler that is there goes on with the encoder, for whoever takes that out; next sentences are no part.
            named = encoder_weights(encoder) | masked_lm.head_weights()
            named = {name: w for name, w in named.items() if name in weights or not name.startswith("pooler.")}
            weights = {name: w for name, w in weights.items() if not name.startswith("cls.seq_relationship.")}
            assign_weights(named, weights, optional=("cls.",))
        return masked_lm


def _check_masking(mask_rate, mask_unit, seed):
    if not isinstance(mask_rate, numbers.Real) or not 0 < mask_rate < 1:
        raise ValueError(f"`mask_rate` must be between 0 and 1. Received: mask_rate={mask_rate!r}. BERT's is 0.15.")
    if mask_unit not in UNITS:
        raise ValueError(f"`mask_unit` must be one of {', '.join(UNITS)}. Received: mask_unit={mask_unit!r}.")
    if not isinstance(seed, numbers.Integral) or not 0 <= seed < 2**63:
        raise ValueError(f"`seed` must be a whole number of at least 0. Received: seed={seed!r}.")
