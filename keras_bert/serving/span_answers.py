"""From the logits of windows to the answers that users read, in the graph."""

import tensorflow as tf

_NEVER = -1e30


def span_answers(
    contexts,
    windows,
    start_logits,
    end_logits,
    *,
    n_best: int,
    max_answer_length: int,
    no_answer_threshold: float | None = None,
) -> dict:
    """Finds the best spans of each context over all its windows.

    A span counts in the window that sees most context around its first token. Every span of the allowed length is
    looked at. A span's score is its probability among all of them, no answer included where that is allowed.

    Args:
        contexts: string tensor `(B,)`.
        windows: `SpanWindows` of the contexts.
        start_logits: float tensor `(W, T)`.
        end_logits: float tensor `(W, T)`.
        n_best: int. How many answers of each context.
        max_answer_length: int. Most tokens of an answer.
        no_answer_threshold: float, optional. Lets a question have no answer: it has none where the logits of no answer
            are by more than this above those of the best span.

    Returns:
        dict: `answer` string `(B,)`, cut from the context, `""` for none; `start` and `end` int32 `(B,)`, in
        characters; `score` float `(B,)`. With `n_best` above 1 also `answers`, `starts`, `ends` and `scores`
        `(B, n_best)`, the best spans, filled up with `""` and 0. With a threshold also `no_answer_score` `(B,)`: the
        logits of no answer less those of the best span.
    """
    count, width = tf.shape(contexts)[0], tf.shape(start_logits)[1]
    # Bytes that are no UTF-8 are not counted by the offsets either.
    contexts = tf.strings.unicode_transcode(contexts, "UTF-8", "UTF-8", errors="ignore")
    lengths = tf.range(tf.minimum(max_answer_length, width))
    last = tf.range(width)[:, tf.newaxis] + lengths  # (T, L): last token of each span
    end = tf.where(windows.in_context, end_logits, _NEVER)
    end = tf.pad(end, [[0, 0], [0, tf.size(lengths)]], constant_values=_NEVER)
    start = tf.where(windows.is_best, start_logits, _NEVER)
    spans = tf.maximum(start[:, :, tf.newaxis] + tf.gather(end, last, axis=1), _NEVER)
    spans = tf.reshape(spans, [tf.shape(spans)[0], width * tf.size(lengths)])  # (W, T * L)

    window_best, place = tf.math.top_k(spans, tf.minimum(n_best, tf.shape(spans)[1]))
    first = place // tf.size(lengths)
    begins = tf.gather(windows.starts, first, batch_dims=1)
    stops = tf.gather(windows.ends, first + place % tf.size(lengths), batch_dims=1)

    # The spans of all windows of an example in one row.
    logits, starts, ends = (
        _of_examples(values, windows.examples, count, fill)
        for values, fill in ((window_best, _NEVER), (begins, 0), (stops, 0))
    )
    fill = tf.maximum(n_best - tf.shape(logits)[1], 0)
    logits, chosen = tf.math.top_k(tf.pad(logits, [[0, 0], [0, fill]], constant_values=_NEVER), n_best)
    starts, ends = (tf.gather(tf.pad(part, [[0, 0], [0, fill]]), chosen, batch_dims=1) for part in (starts, ends))
    is_span = logits > _NEVER / 2

    total = _log_sum(tf.reduce_logsumexp(spans, axis=1), windows.examples, count)
    if no_answer_threshold is not None:
        nothing = tf.math.unsorted_segment_min(start_logits[:, 0] + end_logits[:, 0], windows.examples, count)
        total = tf.reduce_logsumexp(tf.stack([total, nothing], 1), axis=1)
    scores = tf.where(is_span, tf.exp(logits - total[:, tf.newaxis]), 0.0)
    starts, ends = (tf.where(is_span, part, 0) for part in (starts, ends))
    many = tf.broadcast_to(contexts[:, tf.newaxis], tf.shape(starts))
    answers = tf.strings.substr(many, starts, ends - starts, unit="UTF8_CHAR")
    best = {"answer": answers[:, 0], "start": starts[:, 0], "end": ends[:, 0], "score": scores[:, 0]}
    if no_answer_threshold is not None:
        no_answer_score = tf.where(is_span[:, 0], nothing - logits[:, 0], -_NEVER)
        has_none = no_answer_score > no_answer_threshold
        none = {"answer": "", "start": 0, "end": 0, "score": tf.exp(nothing - total)}
        best = {name: tf.where(has_none, none[name], value) for name, value in best.items()}
        best["no_answer_score"] = no_answer_score
    if n_best > 1:
        best |= {"answers": answers, "starts": starts, "ends": ends, "scores": scores}
    return best


def _of_examples(values, examples, count, fill):
    ragged = tf.RaggedTensor.from_value_rowids(values, tf.cast(examples, tf.int64), tf.cast(count, tf.int64))
    dense = ragged.to_tensor(fill, shape=[None, None, None])  # (B, windows, K)
    shape = tf.shape(dense)
    return tf.reshape(dense, [shape[0], shape[1] * shape[2]])


def _log_sum(values, examples, count):
    greatest = tf.math.unsorted_segment_max(values, examples, count)
    total = tf.math.unsorted_segment_sum(tf.exp(values - tf.gather(greatest, examples)), examples, count)
    return greatest + tf.math.log(total)
