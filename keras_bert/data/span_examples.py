"""Questions, contexts and answers to batches of windows with the tokens that the answers begin and end in."""

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from keras_bert.data.span_windows import SpanWindows, span_positions
from keras_bert.data.windowed_examples import windowed_batches
from keras_bert.text.preprocessor import as_segments
from keras_bert.text.strings import string_tensor

_EXAMPLES = 32  # cut into windows at once


def as_pairs(x) -> tuple:
    """Checks questions and contexts.

    Args:
        x: a pair `(questions, contexts)`, or a list of pairs.

    Returns:
        Two string tensors `(n,)`.

    Raises:
        ValueError: single texts, or none.
    """
    segments = as_segments(x)
    if len(segments) != 2:
        raise ValueError("Inputs must be pairs: (questions, contexts). Received: single texts.")
    if not len(segments[0]):
        raise ValueError("There must be at least one example. Received: an empty list.")
    return segments


def answer_spans(contexts, answers: Sequence) -> np.ndarray:
    """Turns answers, as people write them, into places in their contexts.

    Args:
        contexts: list of str or string tensor `(n,)`.
        answers: for each context the answer's text, which is then looked for; a dict of `text` and `answer_start`, as
            SQuAD has it, or of lists of them, of which the first counts (its `id`, if it has one, is named in
            errors); (start, end) in characters; or None, `""` or empty lists for no answer.

    Returns:
        int32 array `(n, 2)`: start and end in characters, 0 and 0 for no answer.

    Raises:
        ValueError: an answer that does not stand in its context, with its row.

    Example:
    >>> answer_spans(["The cat sat."], ["cat"])
    array([[4, 7]], dtype=int32)
    """
    if isinstance(answers, np.ndarray) and answers.dtype.kind in "iu" and answers.ndim == 2:
        answers = answers.tolist()
    spans = np.zeros((len(contexts), 2), "int32")
    for row, (context, answer) in enumerate(zip(string_tensor(contexts).numpy(), answers, strict=True)):
        is_named = isinstance(answer, dict) and "id" in answer
        place = f"row {row}, id {answer['id']!r}" if is_named else f"row {row}"
        spans[row] = _span(context.decode("utf-8", errors="ignore"), answer, place)
    return spans


def _span(context, answer, place):
    text, start = answer, None
    if isinstance(answer, dict):
        text, start = answer.get("text"), answer.get("answer_start")
        if isinstance(text, (list, tuple, np.ndarray)):
            text, start = (text[0], start[0]) if len(text) else (None, None)
    elif isinstance(answer, (list, tuple, np.ndarray)) and len(answer) == 2:
        start, end = map(int, answer)
        if not 0 <= start <= end <= len(context):
            raise ValueError(
                "An answer must be in its context. "
                f"Received: {start} to {end} of {len(context)} characters in {place}. Correct the offsets."
            )
        return (start, end) if end > start else (0, 0)
    if text is None or (isinstance(text, str) and not text):
        return 0, 0
    if not isinstance(text, str):
        raise ValueError(
            "An answer must be a text, a dict of `text` and `answer_start`, (start, end), or None. "
            f"Received: {answer!r:.80} in {place}."
        )
    start = context.find(text) if start is None else int(start)
    if start < 0 or context[start : start + len(text)] != text:
        found = f"where {context[max(start, 0) : max(start, 0) + len(text)]!r:.80} stands" if start >= 0 else "nowhere"
        raise ValueError(
            f"An answer must be in its context. Received: {text!r:.80} in {place}, which is {found}. "
            "Correct the text or `answer_start`, counted in characters."
        )
    return start, start + len(text)


def span_batches(
    x,
    y=None,
    sample_weight=None,
    *,
    windows: Callable[..., SpanWindows],
    shuffle: bool,
    **options,
) -> tf.data.Dataset:
    """Makes batches of windows from questions and contexts.

    Args:
        x: pair of string tensors `(n,)`, questions and contexts; or a `tf.data.Dataset` of ((question, context),
            (start, end)), with a sample weight or without.
        y: int array `(n, 2)`, as `answer_spans` gives it; None with a dataset.
        sample_weight: float array `(n,)`, optional; None with a dataset.
        windows: callable of questions and contexts; gives `SpanWindows` of one width.
        shuffle: bool. Another order every epoch.
        **options: of `windowed_batches`.

    Returns:
        `tf.data.Dataset` of (encoder inputs, dict of `start_logits` and `end_logits` `(B,)`, weights `(B,)`).
    """
    if isinstance(x, tf.data.Dataset):
        examples = x.map(lambda x, y, weight=1.0: (*x, y, tf.cast(weight, tf.float32)))
        if examples.element_spec[0].shape.rank == 1:
            examples = examples.unbatch()
    else:
        weights = tf.ones((len(y),)) if sample_weight is None else tf.cast(sample_weight, tf.float32)
        examples = tf.data.Dataset.from_tensor_slices((*x, y, weights))
        if shuffle:
            examples = examples.shuffle(len(y))

    def cut(questions, contexts, answers, weights):
        parts = windows(questions, contexts)
        first, last = span_positions(parts, answers)
        labels = {"start_logits": first, "end_logits": last}
        return parts.inputs, labels, tf.gather(weights, parts.examples)

    return windowed_batches(examples.batch(_EXAMPLES), cut, shuffle=shuffle, **options)
