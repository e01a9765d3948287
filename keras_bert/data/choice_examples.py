"""Contexts, questions, choices and answers as people write them to what training and prediction take."""

import numbers

import numpy as np
import tensorflow as tf

from keras_bert.data.inputs import INPUTS, check_names, ready_inputs, row_count
from keras_bert.text.choices import as_choices
from keras_bert.text.strings import string_tensor


def checked_choices(x):
    """Checks texts or ready inputs.

    Args:
        x: as `as_choices` takes it, or a dict of arrays `(n, N choices, T)`.

    Returns:
        Tuple of string tensors, contexts `(n,)`, questions `(n,)` and choices `(n, N)`; or a dict of int32 tensors.

    Raises:
        ValueError: parts that do not fit together, or fewer than two choices.
    """
    if not isinstance(x, dict):
        return as_choices(x)
    features = ready_inputs(x, ("rows", "choices", "tokens"))
    rows, count, _ = features["token_ids"].shape
    if rows and count < 2:
        raise ValueError(f"A question must have at least two choices. Received: {count}. Add what else may be chosen.")
    return features


def answer_indices(x, answers) -> np.ndarray:
    """Tells which of its choices is the answer to each question.

    Args:
        x: what `checked_choices` gives.
        answers: indices of choices `(n,)`, or for texts also the right choices themselves: of equal ones the first.

    Returns:
        Int32 array `(n,)`.

    Raises:
        ValueError: not one for each question, or one that is not among the choices, with its row.
    """
    choices = x["token_ids"] if isinstance(x, dict) else x[2]
    rows, count = row_count(x), choices.shape[1]
    if not isinstance(answers, (list, tuple)):
        answers = np.asarray(answers).tolist()
    if not isinstance(answers, (list, tuple)) or len(answers) != rows:
        found = len(answers) if isinstance(answers, (list, tuple)) else repr(answers)[:40]
        raise ValueError(f"There must be an answer for each question. Received: {found} for {rows}.")
    if rows and choices.dtype == tf.string and all(isinstance(answer, (str, bytes)) for answer in answers):
        is_answer = (choices == string_tensor(answers)[:, tf.newaxis]).numpy()
        bad, found = np.flatnonzero(~is_answer.any(axis=1)), is_answer.argmax(axis=1)
    else:
        is_index = [isinstance(answer, numbers.Integral) and 0 <= answer < count for answer in answers]
        bad, found = np.flatnonzero(np.logical_not(is_index)), answers
    if len(bad):
        texts = "" if isinstance(x, dict) else ", or all of them their texts"
        raise ValueError(
            f"Answers must be indices of choices, 0 to {count - 1}{texts}. "
            f"Received: {answers[bad[0]]!r:.80} in row {bad[0]}."
        )
    return np.asarray(found, "int32")


def choice_inputs(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Gives the contexts, questions and choices of a user's dataset, or its ready inputs, without what is beside them.

    Args:
        dataset: `tf.data.Dataset`, as `choice_examples` takes it, with answers or without.

    Returns:
        `tf.data.Dataset` of a tuple that holds (context, question, choices) or a dict of int tensors `(B, N, T)`.

    Raises:
        ValueError: a dataset of other things.
    """
    spec = dataset.element_spec
    if isinstance(spec, tuple) and isinstance(spec[0], (tuple, dict)):
        dataset, spec = dataset.map(lambda x, *_: (x,)), spec[0]
    else:
        dataset = dataset.map(lambda *x: x if isinstance(x[0], dict) else (x,))
    if not _gives_choices(spec):
        raise _of_no_form(dataset.element_spec)
    if isinstance(spec, dict):
        return dataset.batch(1) if spec[INPUTS[0]].shape.rank == 2 else dataset
    return dataset.map(lambda x: (_with_question(x),))


def choice_examples(dataset: tf.data.Dataset, batch_size: int) -> tf.data.Dataset:
    """Gives the examples of a user's dataset in one form.

    Args:
        dataset: `tf.data.Dataset` of ((context, question, choices), answer) or ((context, choices), answer), one
            question an element or batches of them, with a sample weight or without. An answer is an index or a text.
            In the place of the texts may be a dict of ready inputs.
        batch_size: int. Of ready inputs that come one by one.

    Returns:
        `tf.data.Dataset` of ((context, question, choices), index), with a sample weight or without; or, in batches, of
        (dict of int tensors `(B, N, T)`, index).

    Raises:
        ValueError: a dataset of other things. An answer that is not among its choices is refused when it is read.
    """
    spec = dataset.element_spec
    if not isinstance(spec, tuple) or len(spec) not in (2, 3) or not _gives_choices(spec[0]):
        raise _of_no_form(spec)
    is_ready = isinstance(spec[0], dict)
    choices = spec[0][INPUTS[0]] if is_ready else spec[0][-1]
    rank = choices.shape.rank - (2 if is_ready else 1)
    answer = spec[1]
    is_text = isinstance(answer, tf.TensorSpec) and answer.dtype == tf.string and not is_ready
    if not (is_text or (isinstance(answer, tf.TensorSpec) and answer.dtype.is_integer)) or answer.shape.rank != rank:
        raise _of_no_form(spec)

    @tf.autograph.experimental.do_not_convert
    def number(x, answer, *weight):
        choices = x[INPUTS[0]] if is_ready else x[-1]
        if is_text:
            is_answer = choices == answer[..., tf.newaxis]
            is_known = tf.reduce_any(is_answer, axis=-1)
            index = tf.argmax(is_answer, axis=-1, output_type=tf.int32)
        else:
            index = tf.cast(answer, tf.int32)
            is_known = (index >= 0) & (index < tf.shape(choices)[rank])
        unknown = tf.boolean_mask(tf.reshape(answer, [-1]), tf.reshape(~is_known, [-1]))
        message = "Answers must be indices of choices, or their texts. Received:"
        with tf.control_dependencies([tf.debugging.Assert(tf.reduce_all(is_known), [message, unknown])]):
            index = tf.identity(index)
        return x if is_ready else _with_question(x), index, *weight

    examples = dataset.map(number, tf.data.AUTOTUNE)
    return examples.batch(batch_size) if is_ready and rank == 0 else examples


def _with_question(x):
    return x if len(x) == 3 else (x[0], tf.zeros_like(x[0]), x[1])


def _gives_choices(spec):
    if isinstance(spec, dict):
        check_names(spec)
        return spec[INPUTS[0]].shape.rank in (2, 3)
    if not isinstance(spec, tuple) or len(spec) not in (2, 3):
        return False
    if not all(isinstance(part, tf.TensorSpec) and part.dtype == tf.string for part in spec):
        return False
    rank, count = spec[0].shape.rank, spec[-1].shape[-1] if spec[-1].shape.rank else 0
    ranks = [part.shape.rank for part in spec]
    return rank in (0, 1) and ranks == [rank] * (len(spec) - 1) + [rank + 1] and (count is None or count > 1)


def _of_no_form(spec):
    return ValueError(
        "A dataset must give ((context, question, choices), answer) or ((context, choices), answer): strings `()` and "
        "at least two choices `(N,)`, or batches of them, and an index or a text, and perhaps a sample weight. "
        f"Received: {spec}."
    )
