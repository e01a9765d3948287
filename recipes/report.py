"""Scores predictions and writes them down: metrics.json, predictions.tsv and a picture."""

import json
import math
import pathlib
from collections.abc import Sequence

import numpy as np
import plots
from labels import SEPARATOR

import keras_bert


def decide(outputs: np.ndarray, task: str) -> np.ndarray:
    """Turns what a classifier predicts into decisions.

    Args:
        outputs: float array `(B, C)` of probabilities, or `(B, 1)` of values for `"regression"`.
        task: str, `"single_label"`, `"multi_label"` or `"regression"`.

    Returns:
        int array `(B,)` of ids, int array `(B, C)` of 0 and 1 (above a probability of 0.5), or float array `(B,)`.

    Raises:
        ValueError: if `outputs` has NaN or infinity.

    Example:
    >>> decide(np.array([[0.2, 0.8]]), "single_label")
    array([1])
    """
    if not np.isfinite(outputs).all():
        raise ValueError(
            "The training diverged: predictions must be finite numbers. Received: NaN or infinity. "
            "Lower the learning rate, or check the numbers in the label column."
        )
    if task == "regression":
        return outputs[:, 0]
    return outputs.argmax(axis=1) if task == "single_label" else (outputs > 0.5).astype("int32")


def score(true: np.ndarray, predicted: np.ndarray, task: str, num_classes: int) -> dict[str, float]:
    """Scores decisions with the metrics that are usual for a task.

    Args:
        true: array as `label_array` returns it.
        predicted: array as `decide` returns it.
        task: str, `"single_label"`, `"multi_label"` or `"regression"`.
        num_classes: int.

    Returns:
        Dict of floats. `f1` of two labels is that of the second one, as in GLUE; of more it is the macro average.

    Example:
    >>> score(np.array([0, 1]), np.array([0, 0]), "single_label", 2)["accuracy"]
    0.5
    """
    metrics = keras_bert.metrics
    if task == "regression":
        functions = {
            "pearson": metrics.pearson,
            "spearman": metrics.spearman,
            "mse": metrics.mean_squared_error,
        }
    elif task == "multi_label":
        functions = {"f1_micro": metrics.f1_micro, "f1_macro": metrics.f1_macro}
    else:
        f1 = metrics.f1 if num_classes == 2 else metrics.f1_macro
        functions = {
            "accuracy": metrics.accuracy,
            "f1": f1,
            "f1_macro": metrics.f1_macro,
            "matthews": metrics.matthews,
        }
    return {name: function(true, predicted) for name, function in functions.items()}


def write_json(path: pathlib.Path, record: dict) -> None:
    """Writes a dict as indented JSON, whole or not at all; NaN and infinity, which JSON lacks, become null."""
    with keras_bert.presets.atomic_file(path) as new:
        text = json.dumps(_finite(record), indent=2, ensure_ascii=False, allow_nan=False)
        new.write_text(text + "\n", encoding="utf-8")


def write_predictions(
    path: pathlib.Path,
    texts: Sequence[tuple[str, ...]],
    true: np.ndarray,
    outputs: np.ndarray,
    task: str,
    labels: Sequence[str],
) -> None:
    """Writes one line an example: row, true label, predicted label, a probability for every label, the text.

    White space in texts and names, tabs and line ends too, becomes single spaces, so that a line stays a line.

    Args:
        path: `pathlib.Path`. The `.tsv` to write.
        texts: sequence of one or two str an example.
        true: array as `label_array` returns it.
        outputs: float array `(B, C)`, or `(B, 1)` for `"regression"`.
        task: str, `"single_label"`, `"multi_label"` or `"regression"`.
        labels: sequence of str; of none for `"regression"`.
    """

    def name(decision):
        if task == "regression":
            return f"{decision:.6g}"
        if task == "multi_label":
            return SEPARATOR.join(labels[i] for i in np.flatnonzero(decision))
        return labels[decision]

    header = ["row", "label", "predicted", *(f"probability {label}" for label in labels), "text", "text_pair"]
    with keras_bert.presets.atomic_file(path) as new, open(new, "w", encoding="utf-8", newline="\n") as file:
        rows = zip(texts, true, decide(outputs, task), outputs, strict=True)
        file.write(_line(header[: len(header) - 2 + len(texts[0])]))
        for row, (text, label, decision, probabilities) in enumerate(rows, start=1):
            shown = [f"{probability:.6f}" for probability in probabilities] if labels else []
            file.write(_line([str(row), name(label), name(decision), *shown, *text]))


def draw_predictions(
    directory, true: np.ndarray, predicted: np.ndarray, task: str, labels: Sequence[str]
) -> str:
    """Draws the picture that suits the task into `directory` and returns its file name."""
    file = "predicted_against_true.png" if task == "regression" else "confusion_matrix.png"
    with keras_bert.presets.atomic_file(directory / file) as new:
        if task == "regression":
            plots.predicted_against_true(new, true, predicted)
        elif task == "multi_label":
            plots.label_outcomes(new, true, predicted, labels)
        else:
            plots.confusion_matrix(new, true, predicted, labels)
    return file


def _finite(value):
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _line(values):
    return "\t".join(" ".join(value.split()) for value in values) + "\n"
