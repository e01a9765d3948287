"""Scores of classification and regression, in NumPy alone.

The values are scikit-learn's and SciPy's. Where those warn or give NaN (one class only, constant numbers) the
score is 0.0: nothing was told apart, and a number can be written to JSON and compared.
"""

import numpy as np


def accuracy(true: np.ndarray, predicted: np.ndarray) -> float:
    """Share of the examples that are right; of rows that are right as a whole for a `(B, C)` indicator matrix.

    Args:
        true: int array `(B,)` of class ids, or `(B, C)` of 0 and 1.
        predicted: array of the same shape.

    Returns:
        float in `[0, 1]`.

    Raises:
        ValueError: if the shapes differ or there are no examples.

    Example:
    >>> accuracy(np.array([0, 1, 1, 2]), np.array([0, 1, 2, 2]))
    0.75
    """
    true, predicted = _checked(true, predicted)
    right = true == predicted
    return float(np.mean(right.all(axis=1) if right.ndim == 2 else right))


def f1(true: np.ndarray, predicted: np.ndarray, positive: int = 1) -> float:
    """F1 of one class against the rest (GLUE's F1 on MRPC and QQP).

    Args:
        true: int array `(B,)` of class ids.
        predicted: int array `(B,)`.
        positive: int. The class whose precision and recall are averaged. Defaults to 1.

    Returns:
        float in `[0, 1]`; 0.0 if the class is neither in `true` nor in `predicted`.

    Raises:
        ValueError: if the shapes differ or there are no examples.

    Example:
    >>> f1(np.array([1, 0, 0, 1]), np.array([1, 1, 1, 1]))
    0.6666666666666666
    """
    true, predicted = _checked(true, predicted)
    return float(_f1_of_counts(*_counts(true == positive, predicted == positive)))


def f1_macro(true: np.ndarray, predicted: np.ndarray) -> float:
    """Unweighted mean of the F1 of every class, so that a rare class counts as much as a common one.

    Args:
        true: int array `(B,)` of class ids, or `(B, C)` of 0 and 1 for examples with several labels.
        predicted: array of the same shape.

    Returns:
        float in `[0, 1]`. With class ids, the mean runs over the classes found in `true` or `predicted`.

    Raises:
        ValueError: if the shapes differ or there are no examples.

    Example:
    >>> f1_macro(np.array([0, 0, 1, 1]), np.array([0, 0, 0, 0]))
    0.3333333333333333
    """
    return float(np.mean(_f1_of_counts(*_counts(*_indicators(true, predicted)))))


def f1_micro(true: np.ndarray, predicted: np.ndarray) -> float:
    """F1 of all the decisions about all classes together; for class ids `(B,)` that is the accuracy.

    Args:
        true: int array `(B,)` of class ids, or `(B, C)` of 0 and 1 for examples with several labels.
        predicted: array of the same shape.

    Returns:
        float in `[0, 1]`; 0.0 if nothing is labelled and nothing is predicted.

    Raises:
        ValueError: if the shapes differ or there are no examples.

    Example:
    >>> f1_micro(np.array([[1, 0], [1, 1]]), np.array([[1, 0], [0, 1]]))
    0.8
    """
    counts = _counts(*_indicators(true, predicted))
    return float(_f1_of_counts(*(count.sum() for count in counts)))


def matthews(true: np.ndarray, predicted: np.ndarray) -> float:
    """Matthews correlation of two or more classes (GLUE's score on CoLA).

    Args:
        true: int array `(B,)` of class ids.
        predicted: int array `(B,)`.

    Returns:
        float in `[-1, 1]`; 0.0 if `true` or `predicted` has one class only.

    Raises:
        ValueError: if the shapes differ or there are no examples.

    Example:
    >>> matthews(np.array([1, 1, 0, 0]), np.array([0, 0, 1, 1]))
    -1.0
    """
    true, predicted = _checked(true, predicted)
    classes = np.union1d(true, predicted)
    true, predicted = (np.equal.outer(ids, classes).astype("float64") for ids in (true, predicted))
    # The correlation of one-hot rows: Gorodkin's R_K, which is the binary coefficient for two classes.
    true, predicted = true - true.mean(axis=0), predicted - predicted.mean(axis=0)
    covariance, spread = np.sum(true * predicted), np.sum(true**2) * np.sum(predicted**2)
    return float(np.clip(covariance / np.sqrt(spread), -1.0, 1.0)) if spread > 0 else 0.0


def pearson(true: np.ndarray, predicted: np.ndarray) -> float:
    """Linear correlation of two series of numbers.

    Args:
        true: float array `(B,)`.
        predicted: float array `(B,)`.

    Returns:
        float in `[-1, 1]`; 0.0 if one of the series is constant (or has a single number).

    Raises:
        ValueError: if the shapes differ, there are no examples or a number is not finite.

    Example:
    >>> pearson(np.array([1.0, 2.0, 3.0]), np.array([6.0, 4.0, 2.0]))
    -1.0
    """
    true, predicted = _finite(true, predicted)
    if true.min() == true.max() or predicted.min() == predicted.max():
        return 0.0  # not "variance 0": the mean of equal floats can be off
    true, predicted = (_centred(values) for values in (true, predicted))
    norms = np.sqrt((true @ true) * (predicted @ predicted))
    return float(np.clip(true @ predicted / norms, -1.0, 1.0))


def spearman(true: np.ndarray, predicted: np.ndarray) -> float:
    """Correlation of the ranks of two series of numbers; equal numbers share their average rank.

    Args:
        true: float array `(B,)`.
        predicted: float array `(B,)`.

    Returns:
        float in `[-1, 1]`; 0.0 if one of the series is constant (or has a single number).

    Raises:
        ValueError: if the shapes differ, there are no examples or a number is not finite.

    Example:
    >>> spearman(np.array([1.0, 2.0, 3.0]), np.array([1.0, 10.0, 1000.0]))
    1.0
    """
    return pearson(*(_average_ranks(values) for values in _finite(true, predicted)))


def mean_squared_error(true: np.ndarray, predicted: np.ndarray) -> float:
    """Mean of the squared differences of two series of numbers.

    Args:
        true: float array `(B,)`.
        predicted: float array `(B,)`.

    Returns:
        float, 0 or more.

    Raises:
        ValueError: if the shapes differ, there are no examples or a number is not finite.

    Example:
    >>> mean_squared_error(np.array([1.0, 2.0]), np.array([1.0, 4.0]))
    2.0
    """
    true, predicted = _finite(true, predicted)
    return float(np.mean((true - predicted) ** 2))


def _checked(true, predicted):
    true, predicted = np.asarray(true), np.asarray(predicted)
    if true.shape != predicted.shape or not true.size:
        raise ValueError(
            "A score compares two arrays of one shape with at least one example. "
            f"Received: shapes {true.shape} and {predicted.shape}. Give one prediction for each example."
        )
    return true, predicted


def _finite(true, predicted):
    true, predicted = (np.asarray(values, "float64") for values in _checked(true, predicted))
    if not (np.isfinite(true).all() and np.isfinite(predicted).all()):
        raise ValueError(
            "The numbers that are scored must be finite. Received: NaN or infinity. A training that diverged "
            "gives these: lower the learning rate."
        )
    return true.reshape(-1), predicted.reshape(-1)


def _indicators(true, predicted):
    true, predicted = _checked(true, predicted)
    if true.ndim == 2:
        return true == 1, predicted == 1
    classes = np.union1d(true, predicted)
    return np.equal.outer(true, classes), np.equal.outer(predicted, classes)


def _counts(true, predicted):
    return (true & predicted).sum(axis=0), (~true & predicted).sum(axis=0), (true & ~predicted).sum(axis=0)


def _f1_of_counts(hits, false_alarms, misses):
    return 2 * hits / np.maximum(2 * hits + false_alarms + misses, 1)  # 0 / 0 is 0: nothing was found


def _centred(values):
    # Scaled first, by a power of two, which is exact: sums near 1e308 and squares near 1e-200 leave float64's range.
    values = np.ldexp(values, -np.frexp(np.abs(values).max())[1])
    centred = values - values.mean()
    return centred / np.abs(centred).max()


def _average_ranks(values):
    _, groups, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)  # the rank of the last of each group of equal values
    return (last - (counts - 1) / 2)[groups]
