"""Labels of texts that need not all have one."""

from collections.abc import Sequence

import numpy as np

from keras_bert.data.examples import as_array, check_rows
from keras_bert.data.labels import label_encoder


def label_rows(y, rows: int, labels: Sequence[str]) -> np.ndarray:
    """Makes a row of each label: one-hot, or as it is if it is soft; of zeros where there is none.

    Args:
        y: sequence of names, numbers or soft rows `(C,)`, None for a text without; or None, where no text has one.
        rows: int. How many texts there are.
        labels: sequence of str. Names of the classes, in order.

    Returns:
        Float32 array `(n, C)`.

    Raises:
        ValueError: labels that are not among `labels`, or more or fewer than texts.
    """
    if y is None:
        return np.zeros((rows, len(labels)), "float32")
    known = np.array([label is not None for label in y])
    check_rows("y", known, rows)
    # Any known label keeps the place of one that is not there, so that errors name the place.
    stand_in = next((label for label in y if label is not None), labels[0])
    values = as_array([label if is_known else stand_in for label, is_known in zip(y, known, strict=True)])
    encoded = label_encoder(labels, "single_label", keep_rows=True)(values)
    encoded = encoded if encoded.ndim == 2 else np.eye(len(labels), dtype="float32")[encoded]
    return encoded * known[:, np.newaxis]
