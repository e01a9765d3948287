"""Why a span labeler gives an answer: what the tokens of question and context add to the logits of its ends."""

import numpy as np
import tensorflow as tf

from keras_bert.data.span_windows import SpanWindows
from keras_bert.models.attribution import Attribution, attributions
from keras_bert.text.token_places import TokenPlaces, token_places


def span_attributions(
    model, questions, contexts, windows: SpanWindows, start_logits, end_logits, answers: dict
) -> list[tuple[Attribution, Attribution]]:
    """Explains answers in the windows that they were found in.

    Args:
        model: `BertSpanLabeler`.
        questions: string tensor `(B,)`.
        contexts: string tensor `(B,)`.
        windows: `SpanWindows` of them.
        start_logits: float array `(W, T)`.
        end_logits: float array `(W, T)`.
        answers: dict of `span_answers`, for which the ends of no answer stand at [CLS].

    Returns:
        List of `B` pairs of `Attribution`, of begin and end.
    """
    starts, ends = (answers[name].numpy() for name in ("start", "end"))
    found = [
        _window_and_ends(windows, start_logits, end_logits, example, start, end)
        for example, (start, end) in enumerate(zip(starts, ends, strict=True))
    ]
    rows, first, last = np.asarray(found, "int32").reshape(-1, 3).T
    inputs = {name: tf.gather(part, rows) for name, part in windows.inputs.items()}
    places = _places(model.preprocessor.tokenizer, questions, windows, inputs, rows)
    of_start, of_end = (
        attributions(
            model, (questions, contexts), inputs, places, positions, np.full_like(rows, output), [target] * len(rows)
        )
        for output, (target, positions) in enumerate((("start", first), ("end", last)))
    )
    return list(zip(of_start, of_end, strict=True))


def _window_and_ends(windows, start_logits, end_logits, example, start, end):
    """Finds the window that an answer counts in, and its first and last token there."""
    rows = np.flatnonzero(windows.examples.numpy() == example)
    if start == end:  # no answer: the window that says so least
        return rows[np.argmin(start_logits[rows, 0] + end_logits[rows, 0])], 0, 0
    # Pieces of one character begin at the same place.
    begins = windows.is_best.numpy()[rows] & (windows.starts.numpy()[rows] == start)
    row, first = np.unravel_index(np.argmax(np.where(begins, start_logits[rows], -np.inf)), begins.shape)
    row = rows[row]
    stops = windows.in_context.numpy()[row] & (windows.ends.numpy()[row] == end)
    stops[:first] = False
    return row, first, np.argmax(np.where(stops, end_logits[row], -np.inf))


def _places(tokenizer, questions, windows, inputs, rows):
    _, *offsets = tokenizer.tokenize_with_offsets(questions)
    of_question = token_places(inputs, [offsets])
    in_context, starts, ends = (
        part.numpy()[rows] for part in (windows.in_context, windows.starts, windows.ends)
    )
    return TokenPlaces(
        segments=np.where(in_context, 1, of_question.segments),
        starts=np.where(in_context, starts, of_question.starts),
        ends=np.where(in_context, ends, of_question.ends),
        is_cut=of_question.is_cut | (np.bincount(windows.examples.numpy(), minlength=len(rows)) > 1),
    )
