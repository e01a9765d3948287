"""Why a model says what it says: what each token of a text adds to a score."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from keras_bert.data.inputs import gives_ready_inputs
from keras_bert.models.integrated_gradients import integrated_gradients
from keras_bert.models.positions import hidden_at
from keras_bert.text.token_places import TokenPlaces
from keras_bert.text.words import split_words


class Attribution(NamedTuple):
    """What each token of a text, or of a pair, adds to a score of a model.

    The values sum to what the text adds: `score - baseline_score`. The baseline is the same row with [MASK] in the
    place of each token but [CLS] and [SEP], which add nothing therefore.

    Attributes:
        target: str. What the score is of: a label; "value"; "start" or "end" of an answer.
        texts: tuple of one or two str: the user's, without bytes that are no UTF-8.
        tokens: tuple of `T` str, word pieces and special tokens.
        segments: int array `(T,)`. 0 or 1, the text that a token is of; -1 for special tokens.
        starts: int array `(T,)`. Where a token begins in its text, in characters.
        ends: int array `(T,)`. Where it ends, exclusive.
        values: float array `(T,)`. What each token adds.
        score: float. The model's logit, or value of a regression.
        baseline_score: float. The same of the baseline.
        steps: int. Places between baseline and text at which gradients were taken.
        is_complete: bool. Whether the values sum to `score - baseline_score`, to 1 % of it.
        is_cut: bool. Whether the text has tokens that are not here, for want of room in the row.
        inputs: dict of int arrays `(1, T)`. The row, for whoever looks further into the encoder.

    Example:
    >>> classifier = keras_bert.BertClassifier.from_preset("my_sentiment")
    >>> (attribution,) = classifier.attributions(["not bad at all"])
    >>> [(word["word"], word["value"]) for word in attribution.words()]
    >>> attribution.score - attribution.baseline_score, attribution.total

    Reference:
        Sundararajan et al., 2017 (https://arxiv.org/abs/1703.01365); of [MASK] as the baseline Enguehard, 2023
        (https://arxiv.org/abs/2305.15853).
    """

    target: str
    texts: tuple[str, ...]
    tokens: tuple[str, ...]
    segments: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    values: np.ndarray
    score: float
    baseline_score: float
    steps: int
    is_complete: bool
    is_cut: bool
    inputs: dict

    @property
    def total(self) -> float:
        """The sum of the values."""
        return float(self.values.sum())

    @property
    def gap(self) -> float:
        """By how much the sum differs from the difference of the scores."""
        return self.total - (self.score - self.baseline_score)

    def words(self) -> list[dict]:
        """Sums the values of the tokens of each word.

        Returns:
            List of dicts, in order: `segment`, the text that the word is of; `start` and `end`, where it stands there;
            `word`, that part of the text; `value`.
        """
        found = []
        for segment, text in enumerate(self.texts):
            _, starts, ends = (part[0].numpy() for part in split_words([text]))
            for token in np.flatnonzero(self.segments == segment):
                start, end = int(self.starts[token]), int(self.ends[token])
                word = np.searchsorted(starts, start, side="right") - 1
                if word >= 0 and start < ends[word]:  # else it is of a character that people do not call a word
                    start, end = int(starts[word]), max(end, int(ends[word]))
                if not (found and found[-1]["segment"] == segment and start < found[-1]["end"]):
                    found.append({"segment": segment, "start": start, "end": end, "value": 0.0})
                found[-1]["end"] = max(found[-1]["end"], end)
                found[-1]["value"] += float(self.values[token])
        return [{**word, "word": self.texts[word["segment"]][word["start"] : word["end"]]} for word in found]


def checked_texts(x):
    """Refuses what is to be explained and is no text.

    Args:
        x: as in `predict`.

    Returns:
        `x`.

    Raises:
        ValueError: ready inputs, which do not tell of which text they are.
    """
    if isinstance(x, dict) or (isinstance(x, tf.data.Dataset) and gives_ready_inputs(x)):
        raise ValueError("Attributions are those of texts. Received: a dict of encoder inputs. Pass the texts.")
    return x


def attributions(
    model, texts: Sequence, inputs: dict, places: TokenPlaces, positions, outputs, targets: Sequence[str]
) -> list[Attribution]:
    """Asks for each row what its tokens add to one of the logits at one of its positions.

    Args:
        model: `BertClassifier` or `BertSpanLabeler`: `logits_at(hidden)` is its head.
        texts: sequence of one or two string tensors `(B,)`.
        inputs: dict of int tensors `(B, T)`, the encoder's.
        places: `TokenPlaces` of the rows.
        positions: int array `(B,)`. The position that the head reads.
        outputs: int array `(B,)`. Which of its logits is meant.
        targets: sequence of `B` str, their names.

    Returns:
        List of `B` `Attribution`.
    """
    encoder, vocabulary = model.encoder, model.preprocessor.tokenizer.vocabulary

    def score_of(inputs, token_embeddings, targets):
        hidden = hidden_at(encoder, inputs, targets[:, :1], token_embeddings)
        return tf.gather(model.logits_at(hidden), targets[:, 1], batch_dims=1)

    inputs = {name: part.numpy() for name, part in inputs.items()}
    # A trained token that tells nothing, which [PAD], never looked at, is not.
    nothing = vocabulary.mask_id if "[MASK]" in vocabulary else vocabulary.unknown_id
    found = integrated_gradients(
        score_of,
        encoder.embeddings.token_embedding.embeddings,
        inputs,
        np.where(places.segments >= 0, nothing, inputs["token_ids"]),
        np.stack([positions, outputs], axis=1).astype("int32"),
    )
    texts = [[text.decode("utf-8", "ignore") for text in part.numpy()] for part in texts]
    records = []
    for row, target in enumerate(targets):
        real = slice(0, int((inputs["padding_mask"][row] != 0).sum()))
        records.append(
            Attribution(
                target=target,
                texts=tuple(part[row] for part in texts),
                tokens=tuple(vocabulary.tokens[i] for i in inputs["token_ids"][row, real]),
                segments=places.segments[row, real],
                starts=places.starts[row, real],
                ends=places.ends[row, real],
                values=found.values[row, real],
                score=float(found.scores[row]),
                baseline_score=float(found.baseline_scores[row]),
                steps=int(found.steps[row]),
                is_complete=bool(found.is_complete[row]),
                is_cut=bool(places.is_cut[row]),
                inputs={name: part[row : row + 1, real] for name, part in inputs.items()},
            )
        )
    return records
