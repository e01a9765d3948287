"""Which answers a model is sure of: what self-training learns from."""

import numbers

import numpy as np


def confident_rows(probabilities: np.ndarray, confidence: float = 0.9) -> np.ndarray:
    """Finds the texts whose likeliest label has at least some probability.

    Args:
        probabilities: float array `(n, C)`, as a classifier of one label a text predicts them.
        confidence: float, default 0.9. The least probability; above `1 / C`, which every likeliest label has.

    Returns:
        Int array `(m,)` of row numbers, in order; at least one.

    Raises:
        ValueError: a confidence that says nothing or that nothing reaches, or what is no probability.

    Example:
    >>> probabilities = classifier.predict(unlabelled)
    >>> rows = keras_bert.data.confident_rows(probabilities, confidence=0.95)
    >>> classifier.fit(texts + [unlabelled[row] for row in rows], labels + list(probabilities[rows].argmax(axis=1)))

    Reference:
        Lee, 2013, "Pseudo-Label: The Simple and Efficient Semi-Supervised Learning Method for Deep Neural Networks".
    """
    probabilities = np.asarray(probabilities)
    if probabilities.ndim != 2 or probabilities.shape[1] < 2 or not len(probabilities):
        raise ValueError(
            "Probabilities must be a row of at least two for each text. "
            f"Received: shape {probabilities.shape}. Give what `predict` gives."
        )
    # Not so for NaN either.
    are_shares = (probabilities >= 0).all(axis=1) & np.isclose(probabilities.sum(axis=1), 1, atol=1e-3)
    if not are_shares.all():
        row = int(np.flatnonzero(~are_shares)[0])
        raise ValueError(
            "Probabilities must be at least 0 and add up to 1 in each row. "
            f"Received: {probabilities[row]} in row {row}. Give what `predict` gives."
        )
    least = 1 / probabilities.shape[1]
    if not isinstance(confidence, numbers.Real) or not least < confidence <= 1:
        raise ValueError(
            f"`confidence` must be at most 1 and above {least:.3g}, which the likeliest of "
            f"{probabilities.shape[1]} labels always has. Received: {confidence!r}. Use 0.9, for example."
        )
    highest = probabilities.max(axis=1)
    rows = np.flatnonzero(highest >= confidence)
    if not len(rows):
        raise ValueError(
            "At least one text must have a label of that probability. Received: "
            f"confidence={confidence}; the highest is {highest.max():.4f}. Lower it, or train the model longer."
        )
    return rows
