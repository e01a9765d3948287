"""GLUE's nine tasks: their labels, and the metrics that their scores are made of."""

import numbers
from collections.abc import Sequence

import numpy as np

from keras_bert.metrics.scores import accuracy, f1, matthews, pearson, spearman

_YES_OR_NO = ("0", "1")
_FOLLOWS_OR_NOT = ("entailment", "not_entailment")
# As they stand in GLUE's files, in the order of their ids; none where the label is a number.
GLUE_LABELS = {
    "CoLA": _YES_OR_NO,
    "SST-2": _YES_OR_NO,
    "MRPC": _YES_OR_NO,
    "STS-B": (),
    "QQP": _YES_OR_NO,
    "MNLI": ("entailment", "neutral", "contradiction"),
    "QNLI": _FOLLOWS_OR_NOT,
    "RTE": _FOLLOWS_OR_NOT,
    "WNLI": _YES_OR_NO,
}
_METRICS = {  # of the others: accuracy
    "CoLA": {"matthews": matthews},
    "MRPC": {"f1": f1, "accuracy": accuracy},
    "STS-B": {"pearson": pearson, "spearman": spearman},
    "QQP": {"f1": f1, "accuracy": accuracy},
}


def glue_scores(task: str, labels: Sequence, predictions: Sequence) -> dict[str, float]:
    """Scores predictions with the metrics of one of GLUE's tasks; where it has two, their mean is what counts.

    The values are scikit-learn's and SciPy's, and 0.0 where those are undefined, as for predictions of one class.

    Args:
        task: str. One of `GLUE_LABELS`. The two dev sets of MNLI are scored one by one.
        labels: sequence `(B,)` of names as in GLUE's files, or of ids; for STS-B of numbers.
        predictions: sequence `(B,)`, in the same way.

    Returns:
        dict of the task's metrics and their mean, `score`, in shares: `matthews` for CoLA, `f1` and `accuracy` for
        MRPC and QQP, `pearson` and `spearman` for STS-B, `accuracy` for the others.

    Raises:
        ValueError: an unknown task, labels that are not the task's, no labels, or not a prediction for each.

    Example:
    >>> keras_bert.metrics.glue_scores("MRPC", ["1", "0", "0", "1"], ["1", "1", "1", "1"])
    {'f1': 0.6666666666666666, 'accuracy': 0.5, 'score': 0.5833333333333333}

    Reference:
        Wang et al., 2018 (https://arxiv.org/abs/1804.07461), section 3.
    """
    if not isinstance(task, str) or task not in GLUE_LABELS:
        raise ValueError(f"`task` must be one of {', '.join(GLUE_LABELS)}. Received: {task!r}.")
    read = _ids if GLUE_LABELS[task] else _numbers
    true, predicted = (read(task, part) for part in (labels, predictions))
    found = {
        name: metric(true, predicted) for name, metric in _METRICS.get(task, {"accuracy": accuracy}).items()
    }
    return found | {"score": float(np.mean(list(found.values())))}


def _ids(task, values):
    names = GLUE_LABELS[task]
    ids = {name: place for place, name in enumerate(names)} | {place: place for place in range(len(names))}
    values = np.asarray(values, object).reshape(-1).tolist()
    found = [ids.get(value) if isinstance(value, (str, numbers.Real)) else None for value in values]
    if None in found:
        place = found.index(None)
        raise ValueError(
            f"The labels of {task} must be among {', '.join(names)}, or their ids, 0 to {len(names) - 1}. "
            f"Received: {values[place]!r} at index {place}. Give one label for each example."
        )
    return np.array(found, "int64")


def _numbers(task, values):
    try:
        return np.asarray(values, "float64")
    except (TypeError, ValueError):
        raise ValueError(f"The labels of {task} must be numbers. Received: {values!r:.80}.") from None
