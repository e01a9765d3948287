"""Which word of a translation stands for which word of a text."""

import numpy as np
import tensorflow as tf

from keras_bert.data.token_budget import context_groups, row_batches
from keras_bert.data.windows import cut_windows
from keras_bert.models.positions import hidden_of_layer
from keras_bert.models.similarity import cosine_matrix
from keras_bert.text.words import split_words


def align_words(encoder, preprocessor, texts, translations, layer: int | None = None) -> list[list[dict]]:
    """Aligns the words of texts with those of their translations, by the vectors of their tokens.

    Two tokens are aligned where each is the most similar to the other; two words, where some of their tokens are. What
    is a word is as for `BertTokenClassifier`: signs and Chinese characters are words of their own.

    Args:
        encoder: `BertEncoder`, of a multilingual model.
        preprocessor: `BertPreprocessor`. Longer texts than its rows are read in overlapping windows.
        texts: list of str.
        translations: list of str, as many.
        layer: int, optional. Whose vectors are compared: 1 for the first, ...; by default two thirds of the way up, the
            8th of 12, as in the paper.

    Returns:
        For each text a list of dicts, in the order of its words: `source` and `target`, the numbers of the words;
        `source_word` and `target_word`; `score`, the cosine of their most similar tokens.

    Raises:
        ValueError: no such layer, no preprocessor, or not as many translations as texts.

    Reference:
        Jalili Sabet et al., 2020 (https://arxiv.org/abs/2004.08728).
    """
    count = len(encoder.blocks)
    layer = max(1, round(2 * count / 3)) if layer is None else layer
    if not isinstance(layer, int) or not 0 <= layer <= count:
        raise ValueError(f"`layer` must be 0 to {count}, the layers. Received: {layer!r}.")
    if preprocessor is None:
        raise ValueError("Words are those of texts. Received: a model without a preprocessor. Give it one.")
    found = []
    for sides in context_groups((texts, translations), preprocessor):
        (words, vectors, of_word), (others, other_vectors, of_other) = (
            _tokens_of_words(encoder, preprocessor, side, layer) for side in sides
        )
        for row in range(len(words)):
            source, target, scores = _mutual(vectors[row], other_vectors[row])
            links = _best_links(of_word[row][source], of_other[row][target], scores)
            found.append([_record(i, j, words[row], others[row], score) for i, j, score in links])
    return found


def _mutual(a, b):
    """The pairs of rows each of which is the most similar to the other, and their cosines."""
    if not len(a) or not len(b):
        return np.zeros(0, int), np.zeros(0, int), np.zeros(0)
    cosines = cosine_matrix(a, b)
    forward, backward = cosines.argmax(axis=1), cosines.argmax(axis=0)
    rows = np.flatnonzero(backward[forward] == np.arange(len(a)))
    return rows, forward[rows], cosines[rows, forward[rows]]


def _best_links(source, target, scores):
    """Each pair of words once, with its best score."""
    links = {}
    for i, j, score in zip(source.tolist(), target.tolist(), scores.tolist(), strict=True):
        links[i, j] = max(score, links.get((i, j), -1.0))
    return [(i, j, score) for (i, j), score in sorted(links.items())]


def _record(i, j, words, others, score):
    return {"source": i, "target": j, "source_word": words[i], "target_word": others[j], "score": score}


def _tokens_of_words(encoder, preprocessor, texts, layer):
    """The words of each text, the vectors of its tokens, and which word each token is of."""
    words, _, _ = split_words(texts)
    pieces = preprocessor.tokenizer(words.flat_values)
    ids = words.with_values(pieces).merge_dims(1, 2)
    windows = cut_windows(preprocessor, ids, None, stride=preprocessor.sequence_length // 2, text_first=True)
    tokens, is_best = windows.tokens.numpy(), windows.is_best.numpy()
    vectors = np.zeros((len(ids.flat_values), encoder.arguments["hidden_dim"]), "float32")
    dataset, order = row_batches(windows.inputs, None, trim=True)
    low = 0
    for inputs in dataset:
        hidden = tf.cast(hidden_of_layer(encoder, inputs, layer), tf.float32).numpy()
        rows = order[low : low + len(hidden)]
        kept = is_best[rows, : hidden.shape[1]]
        vectors[tokens[rows, : hidden.shape[1]][kept]] = hidden[kept]
        low += len(hidden)
    cuts = ids.row_splits.numpy()[1:-1]
    first_word = np.repeat(words.row_splits.numpy()[:-1], ids.row_lengths().numpy())
    of_word = pieces.value_rowids().numpy() - first_word
    return [_decoded(row) for row in words.to_list()], np.split(vectors, cuts), np.split(of_word, cuts)


def _decoded(words):
    return [word.decode("utf-8") for word in words]
