"""Labels as the user has them, names or numbers, to the numbers that losses take."""

import numbers
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf


def checked_labels(num_classes: int | None, labels: Sequence[str] | None, task: str) -> list[str]:
    """Names the classes: as the user did, or "0", "1", ...

    Args:
        num_classes: int, or None.
        labels: sequence of str, or None.
        task: str. "single_label", "multi_label" or "regression".

    Returns:
        List of str.

    Raises:
        ValueError: neither is given, they do not agree, or labels repeat.
    """
    tasks = ("single_label", "multi_label", "regression")
    if task not in tasks:
        raise ValueError(f"`task` must be one of {', '.join(tasks)}. Received: {task!r}.")
    if isinstance(labels, str):
        raise ValueError(f"`labels` must be a list of names. Received: the string {labels!r}. Write [{labels!r}, ...].")
    if labels is None:
        if task == "regression":
            num_classes = num_classes or 1
        if num_classes is None:
            raise ValueError("The classes must be named. Received: neither `labels` nor `num_classes`. Pass one.")
        if not isinstance(num_classes, int) or num_classes < 1:
            raise ValueError(f"`num_classes` must be a whole number, at least 1. Received: {num_classes!r}.")
        labels = [str(place) for place in range(num_classes)]
    labels = [str(label) for label in labels]
    check_texts_can_be_written(labels)
    if num_classes not in (None, len(labels)):
        raise ValueError(f"`num_classes` and `labels` must agree. Received: {num_classes} and {len(labels)} labels.")
    if len(set(labels)) != len(labels):
        repeated = sorted({label for label in labels if labels.count(label) > 1})
        raise ValueError(f"Labels must differ. Received: {', '.join(map(repr, repeated))} more than once.")
    if {"single_label": len(labels) < 2, "multi_label": not labels, "regression": len(labels) != 1}[task]:
        raise ValueError(
            "A single-label task has at least two classes, a multi-label one at least one, a regression one output. "
            f"Received: task={task!r} with {len(labels)} labels."
        )
    return labels


def check_texts_can_be_written(labels: Sequence[str]) -> None:
    """Refuses labels that no file can hold.

    Args:
        labels: sequence of str.

    Raises:
        ValueError: a lone surrogate.
    """
    for label in labels:
        try:
            label.encode("utf-8")
        except UnicodeEncodeError:
            raise ValueError(f"Labels must be text that UTF-8 can encode. Received: {label!r}.") from None


def chosen_head(saved: dict, num_classes: int | None, labels: Sequence[str] | None, task: str | None) -> dict:
    """Decides between the head that a preset has and the one that the user asks for.

    Args:
        saved: dict of the preset's head, empty without one.
        num_classes: int, or None.
        labels: sequence of str, or None.
        task: str, or None for the preset's.

    Returns:
        dict of `labels`, `task` and what else of the saved head goes on.

    Raises:
        ValueError: no head is saved, and none asked for.
    """
    asks = num_classes is not None or labels is not None or task == "regression"
    if not asks and not saved:
        raise ValueError(
            "A preset without a classifier's head needs to know the classes. "
            "Received: neither `labels` nor `num_classes`. "
            "Pass labels=['negative', 'positive'], for example, or task='regression'."
        )
    task = task or saved.get("task", "single_label")
    if not asks and task == saved.get("task"):
        return saved
    known = saved.get("labels", ())
    wanted = checked_labels(num_classes, labels if asks else known, task)
    # "0", "1", ... fit the names of any saved head of that size.
    fits = task == saved.get("task") and (wanted == list(known) or (labels is None and len(wanted) == len(known)))
    return saved if fits else {"labels": wanted, "task": task}


def label_encoder(labels: Sequence[str], task: str, keep_rows: bool = False) -> Callable:
    """Makes the function that turns labels into numbers, at the border and in a dataset's graph.

    Args:
        labels: sequence of str. Names of the classes, in order.
        task: str. "single_label": names or indices `(n,)`, or one-hot rows; "multi_label": lists of names, or 0/1
            rows `(n, C)`; "regression": numbers `(n,)`.
        keep_rows: bool, default False. One-hot or soft rows `(n, C)` stay, for a loss that takes them.

    Returns:
        Callable of an array or tensor. Gives int32 `(n,)`, float32 `(n, C)` or float32 `(n, 1)`.

    Raises:
        ValueError: when called with labels that are not among `labels`, or not numbers.

    Example:
    >>> label_encoder(["negative", "positive"], "single_label")(np.array(["positive"]))
    """
    labels = list(labels)
    if task == "single_label":
        return lambda values: _single_labels(values, labels, keep_rows)
    encode = {"multi_label": _rows_of_labels, "regression": _numbers}[task]
    return lambda values: encode(values, labels)


def class_weights(class_weight: dict | None, labels: Sequence[str], task: str) -> tf.Tensor | None:
    """Turns a user's weights of classes into a table.

    Args:
        class_weight: dict of class name or index to float; a class that is not named weighs 1.
        labels: sequence of str.
        task: str. Only "single_label" has one class a text.

    Returns:
        Float32 tensor `(C,)`, or None.

    Raises:
        ValueError: a class that there is not, or a task without classes.
    """
    if class_weight is None:
        return None
    if task != "single_label":
        raise ValueError(f"`class_weight` needs one label a text. Received: task={task!r}. Use `sample_weight`.")
    labels = list(labels)
    if not isinstance(class_weight, dict):
        raise ValueError(f"`class_weight` must be a dict of label to number. Received: {class_weight!r:.80}.")
    table = np.ones(len(labels), "float32")
    for name, weight in class_weight.items():
        index = labels.index(name) if name in labels else name
        if not isinstance(index, (int, np.integer)) or not 0 <= index < len(labels):
            raise ValueError(f"`class_weight` must name labels. Received: {name!r}; the labels are {labels[:20]}.")
        if not isinstance(weight, numbers.Real) or not np.isfinite(weight):
            raise ValueError(f"`class_weight` must hold finite numbers. Received: {weight!r} for {name!r}.")
        table[index] = weight
    return tf.constant(table)


def _numbers(values, labels):
    if tf.is_tensor(values):
        return tf.reshape(tf.cast(values, tf.float32), (-1, 1))
    try:
        numbers = np.asarray(values, "float32").reshape(-1, 1)
    except (TypeError, ValueError):
        raise ValueError(f"A regression's labels must be numbers. Received: {values[:3]!r}.") from None
    bad = np.flatnonzero(~np.isfinite(numbers[:, 0]))
    if bad.size:
        raise ValueError(f"A regression's labels must be finite. Received: {numbers[bad[0], 0]} at index {bad[0]}.")
    return numbers


def _single_labels(values, labels, keep_rows=False):
    if tf.is_tensor(values):
        if values.dtype == tf.string:
            return _index_of(values, labels)
        if values.shape.rank == 2 and values.shape[-1] == len(labels):
            return tf.cast(values, tf.float32) if keep_rows else tf.argmax(values, axis=1, output_type=tf.int32)
        return tf.reshape(tf.cast(values, tf.int32), (-1,))
    if values.ndim == 2 and values.shape[1] == len(labels):
        return values.astype("float32") if keep_rows else values.argmax(axis=1).astype("int32")
    values = values.reshape(-1)
    if values.dtype.kind not in "biuf":
        return _indices(values, labels)
    indices = np.nan_to_num(values, nan=-1).astype("int32")
    bad = np.flatnonzero((indices != values) | (indices < 0) | (indices >= len(labels)))
    if bad.size:
        raise ValueError(
            f"Labels must be 0 to {len(labels) - 1}, or one of {labels[:20]}. "
            f"Received: {values[bad[0]]} at index {bad[0]}."
        )
    return indices


def _indices(values, labels):
    places = {label: place for place, label in enumerate(labels)}
    names = [value.decode("utf-8", "replace") if isinstance(value, bytes) else value for value in values.tolist()]
    try:
        return np.fromiter((places[name] for name in names), "int32", len(names))
    except (KeyError, TypeError):
        pass
    if all(isinstance(name, int) for name in names):
        return _single_labels(np.array(names), labels)
    bad = next(i for i, name in enumerate(names) if not isinstance(name, str) or name not in places)
    raise ValueError(
        f"Labels must be among {labels[:20]}. Received: {names[bad]!r} at index {bad}. "
        "Name all of them in `labels` when the model is made."
    )


def _index_of(values, labels):
    equal = tf.reshape(values, (-1, 1)) == tf.constant(labels)
    known = tf.reduce_any(equal, axis=1)
    message = f"Labels must be among {labels[:20]}. Received:"
    check = tf.debugging.Assert(tf.reduce_all(known), [message, tf.boolean_mask(tf.reshape(values, (-1,)), ~known)])
    with tf.control_dependencies([] if check is None else [check]):
        return tf.cast(tf.argmax(equal, axis=1), tf.int32)


def _rows_of_labels(values, labels):
    if tf.is_tensor(values):
        return tf.ensure_shape(tf.cast(values, tf.float32), (None, len(labels)))
    if values.dtype.kind in "biuf":
        if values.ndim != 2 or values.shape[1] != len(labels) or not np.isin(values, (0, 1)).all():
            raise ValueError(
                f"Rows of labels must be 0 or 1 for each of {len(labels)} labels. Received: shape {values.shape}."
            )
        return values.astype("float32")
    rows = np.zeros((len(values), len(labels)), "float32")
    for place, names in enumerate(values.tolist()):
        if isinstance(names, (str, bytes)):
            raise ValueError(f"Each text's labels must be a list of names. Received: {names!r} at index {place}.")
        rows[place, _indices(np.array(list(names), object), labels)] = 1
    return rows
