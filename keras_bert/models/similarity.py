"""How alike embeddings are: all with all, and the most alike of many."""

import numpy as np

from keras_bert.data.inputs import check_counts

# Queries and embeddings that are compared at once: what bounds the memory of a search.
_QUERIES, _EMBEDDINGS = 256, 16384


def checked_embeddings(embeddings, width: int, name: str) -> np.ndarray:
    """Checks a matrix of embeddings.

    Args:
        embeddings: floats `(n, H)`.
        width: int. H.
        name: str. What the error calls them.

    Returns:
        Array `(n, H)`, not copied.

    Raises:
        ValueError: another shape, or no numbers.
    """
    array = np.asarray(embeddings)
    if array.dtype.kind not in "fiu" or array.ndim != 2 or array.shape[1] != width:
        raise ValueError(
            f"`{name}` must be numbers of shape (n, {width}), as `predict` gives them. "
            f"Received: shape {array.shape} of {array.dtype}. Embed the texts with this model."
        )
    return array


def cosine_matrix(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Compares all rows with all.

    Args:
        a: array `(n, H)`.
        b: array `(m, H)`.

    Returns:
        float32 array `(n, m)` of cosines; 0 where a row is 0.
    """
    return _units(a) @ _units(b).T


def most_similar(queries: np.ndarray, embeddings: np.ndarray, top_k: int) -> list[list[dict]]:
    """Finds the most similar embeddings, in bounded memory.

    Args:
        queries: array `(n, H)`.
        embeddings: array `(m, H)`; a `numpy.memmap` is read part by part.
        top_k: int. How many.

    Returns:
        For each query a list of dicts, best first: `index`, the row, and `score`, the cosine. Of equal ones the first
        row is first.

    Raises:
        ValueError: `top_k` is no whole number above 0.
    """
    check_counts(top_k=top_k)
    found = []
    for low in range(0, len(queries), _QUERIES):
        units = _units(queries[low : low + _QUERIES])
        scores, places = np.zeros((len(units), 0), "float32"), np.zeros((len(units), 0), "int64")
        for start in range(0, len(embeddings), _EMBEDDINGS):
            part = units @ _units(embeddings[start : start + _EMBEDDINGS]).T
            numbers = np.broadcast_to(np.arange(start, start + part.shape[1]), part.shape)
            scores, places = _best(np.hstack([scores, part]), np.hstack([places, numbers]), top_k)
        for row_scores, row_places in zip(scores.tolist(), places.tolist(), strict=True):
            pairs = zip(row_places, row_scores, strict=True)
            found.append([{"index": index, "score": score} for index, score in pairs])
    return found


def _best(scores, places, top_k):
    """The best of each row in order; what stands first of equal ones, which has the lesser place, stays first."""
    if scores.shape[1] > 4 * top_k:
        # All that are at least as good as the last that stays; sorting the rest would take most of the time.
        least = np.partition(scores, -top_k, axis=1)[:, -top_k, np.newaxis]
        width = int((scores >= least).sum(axis=1).max())
        kept = np.argsort(scores < least, axis=1, kind="stable")[:, :width]
        scores, places = (np.take_along_axis(part, kept, 1) for part in (scores, places))
    order = np.argsort(-scores, axis=1, kind="stable")[:, :top_k]
    return np.take_along_axis(scores, order, 1), np.take_along_axis(places, order, 1)


def _units(vectors):
    vectors = np.asarray(vectors, "float32")
    if not np.isfinite(vectors).all():
        raise ValueError("Embeddings must be finite. Received: NaN or infinity. Look at how they were made.")
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
