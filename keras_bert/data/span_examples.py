"""Questions, contexts and answers to batches of windows with the tokens that the answers begin and end in."""

import operator
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from keras_bert.data.examples import check_alone, checked_weights
from keras_bert.data.span_windows import SpanWindows, span_positions
from keras_bert.data.windowed_examples import windowed_epochs
from keras_bert.text.preprocessor import as_segments
from keras_bert.text.strings import string_tensor

_EXAMPLES = 32  # of a dataset, cut into windows at once


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
            SQuAD has it, or of lists of them, of which the first counts and empty ones are no answer (its `id`, if it
            has one, is named in errors); (start, end) in characters; or None or `""` for no answer.

    Returns:
        int32 array `(n, 2)`: start and end in characters, 0 and 0 for no answer.

    Raises:
        ValueError: an answer that does not stand in its context, with its row.

    Example:
    >>> answer_spans(["The cat sat."], ["cat"])
    array([[4, 7]], dtype=int32)
    """
    contexts = string_tensor(contexts, "contexts")
    if contexts.shape.rank == 0:
        raise ValueError("`contexts` must be a list of texts. Received: one text. Put it into a list.")
    if not isinstance(answers, (list, tuple, np.ndarray)) or len(answers) != len(contexts):
        found = len(answers) if isinstance(answers, (list, tuple, np.ndarray)) else repr(answers)[:40]
        raise ValueError(f"There must be an answer for each context. Received: {found} for {len(contexts)}.")
    spans = np.zeros((len(contexts), 2), "int32")
    for row, (context, answer) in enumerate(zip(contexts.numpy(), answers, strict=True)):
        is_named = isinstance(answer, dict) and "id" in answer
        place = f"row {row}, id {answer['id']!r}" if is_named else f"row {row}"
        context = context.decode("utf-8", errors="ignore")
        start, end = spans[row] = _span(context, answer, place)
        if end > start and not any(char.isprintable() and not char.isspace() for char in context[start:end]):
            raise ValueError(
                f"An answer must hold a word. Received: {context[start:end]!r:.80} in {place}. Use None for no answer."
            )
    return spans


def _span(context, answer, place):
    text, start = answer, None
    if isinstance(answer, dict):
        text, start = _first_of_dict(answer, place)
    elif isinstance(answer, (list, tuple, np.ndarray)):
        return _offsets(answer, context, place)
    if text is None or (isinstance(text, str) and not text):
        return 0, 0
    if not isinstance(text, str):
        raise _of_no_form(answer, place)
    start = context.find(text) if start is None else start
    if start < 0 or context[start : start + len(text)] != text:
        found = f"where {context[max(start, 0) : max(start, 0) + len(text)]!r:.80} stands" if start >= 0 else "nowhere"
        raise ValueError(
            f"An answer must be in its context. Received: {text!r:.80} in {place}, which is {found}. "
            "Correct the text or `answer_start`, counted in characters."
        )
    return start, start + len(text)


def _first_of_dict(answer, place):
    """The text and the start of an answer in SQuAD's form: of lists the first."""
    if "text" not in answer:
        raise _of_no_form(answer, place)
    text, start = answer["text"], answer.get("answer_start")
    if isinstance(text, (list, tuple, np.ndarray)):
        starts = [None] * len(text) if start is None else start
        if not isinstance(starts, (list, tuple, np.ndarray)) or len(starts) != len(text):
            raise _of_no_form(answer, place)
        text, start = (text[0], starts[0]) if len(text) else (None, None)
    try:
        start = None if start is None else operator.index(start)
    except TypeError:
        raise _of_no_form(answer, place) from None
    if text is None and start is not None:
        raise _of_no_form(answer, place)
    return text, start


def _offsets(answer, context, place):
    try:
        start, end = map(operator.index, answer)
    except (TypeError, ValueError):
        raise _of_no_form(answer, place) from None
    if not 0 <= start <= end <= len(context):
        raise ValueError(
            "An answer must be in its context. "
            f"Received: {start} to {end} of {len(context)} characters in {place}. Correct the offsets."
        )
    return (start, end) if end > start else (0, 0)


def _of_no_form(answer, place):
    return ValueError(
        "An answer must be a text, a dict of `text` and `answer_start`, (start, end) in characters, or None. "
        f"Received: {answer!r:.80} in {place}."
    )


def span_epochs(
    x,
    y=None,
    sample_weight=None,
    *,
    windows: Callable[..., SpanWindows],
    **options,
) -> Callable:
    """Makes what gives the windows of questions and contexts of any epoch in batches.

    Args:
        x: pair of string tensors `(n,)`, questions and contexts; or a `tf.data.Dataset` of ((question, context),
            (start, end)), with a sample weight or without.
        y: int array `(n, 2)`, as `answer_spans` gives it; None with a dataset.
        sample_weight: floats `(n,)`, optional; None with a dataset.
        windows: callable of questions and contexts; gives `SpanWindows` of one width.
        **options: of `windowed_epochs`.

    Returns:
        Callable of the number of an epoch and a seed. Gives a `tf.data.Dataset` of (encoder inputs, dict of
        `start_logits` and `end_logits` `(B,)`, weights `(B,)`).
    """
    if isinstance(x, tf.data.Dataset):
        check_alone(y, sample_weight)
        examples = _of_dataset(x).batch(_EXAMPLES)
    else:
        examples = (*x, y, checked_weights(sample_weight, len(y)))

    def cut(questions, contexts, answers, weights):
        parts = windows(questions, contexts)
        first, last = span_positions(parts, answers)
        labels = {"start_logits": first, "end_logits": last}
        return parts.inputs, labels, tf.gather(weights, parts.examples)

    return windowed_epochs(examples, cut, **options)


def _of_dataset(dataset):
    """Gives the questions, contexts, answers and weights of a user's dataset, one by one."""
    spec = dataset.element_spec
    if not _gives_spans(spec):
        raise ValueError(
            "A dataset must give ((question, context), (start, end)), the answers in one int tensor that "
            f"`keras_bert.data.answer_spans` makes, and perhaps a sample weight. Received: {spec}."
        )

    @tf.autograph.experimental.do_not_convert
    def flat(pair, answer, weight=None):
        length = tf.strings.length(pair[1], unit="UTF8_CHAR")
        answer = tf.cast(answer, tf.int32)
        start, end = answer[..., 0], answer[..., 1]
        is_right = tf.reduce_all((start >= 0) & (start <= end) & (end <= length))
        message = "Answers must be in their contexts, start and end in characters. Received:"
        with tf.control_dependencies([tf.debugging.Assert(is_right, [message, answer])]):
            weight = tf.ones(tf.shape(start)) if weight is None else tf.cast(weight, tf.float32)
        return *pair, answer, weight

    examples = dataset.map(flat)
    return examples.unbatch() if spec[0][0].shape.rank else examples


def _gives_spans(spec):
    if not isinstance(spec, tuple) or len(spec) not in (2, 3) or not isinstance(spec[0], tuple) or len(spec[0]) != 2:
        return False
    if not all(isinstance(part, tf.TensorSpec) for part in (*spec[0], spec[1])):
        return False
    ranks = [part.shape.rank for part in (*spec[0], spec[1])]
    if None in ranks or ranks[0] not in (0, 1) or ranks != [ranks[0], ranks[0], ranks[0] + 1]:
        return False
    return all(part.dtype == tf.string for part in spec[0]) and spec[1].dtype.is_integer and spec[1].shape[-1] == 2
