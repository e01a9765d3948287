"""From contexts, questions and choices to rows, one for each choice."""

import numpy as np
import tensorflow as tf

from keras_bert.text.packing import truncated_lengths
from keras_bert.text.preprocessor import BertPreprocessor
from keras_bert.text.strings import string_tensor


class ChoicePacker:
    """Lays contexts, questions and choices out as BERT reads them: [CLS] context [SEP] question choice [SEP].

    What does not fit is cut from the end of the context. Where a question and a choice alone do not fit, the end of the
    question is cut too, and of a choice that is longer than a row its own end.

    Args:
        preprocessor: `BertPreprocessor`. Its `truncation` is for pairs and says nothing here.

    Call arguments:
        inputs: as `as_choices` takes them.

    Returns:
        dict of int32 tensors `(B, N choices, T)`: `token_ids`, `segment_ids`, `padding_mask`.

    Example:
    >>> tokenizer = keras_bert.BertTokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "it", "rains", "why", "not"])
    >>> packer = ChoicePacker(keras_bert.BertPreprocessor(tokenizer, sequence_length=8))
    >>> packer((["it rains"], ["why"], [["not", "it rains"]]))["token_ids"].numpy().tolist()
    [[[2, 4, 5, 3, 6, 7, 3, 0], [2, 4, 5, 3, 6, 4, 5, 3]]]
    """

    def __init__(self, preprocessor: BertPreprocessor):
        self.preprocessor = preprocessor

    def __call__(self, inputs) -> dict:
        return self.pack(self.tokenize(inputs))

    def tokenize(self, inputs) -> tuple:
        """Cuts texts into word pieces, every context and question once.

        Args:
            inputs: as in the call.

        Returns:
            Tuple of ragged int32 tensors: contexts `(B, (T))`, questions `(B, (T))` and choices `(B, (N), (T))`.
        """
        contexts, questions, choices = as_choices(inputs)
        tokenizer, shape = self.preprocessor.tokenizer, tf.shape(choices, tf.int64)
        pieces = tokenizer(tf.reshape(choices, [-1]))
        pieces = tf.RaggedTensor.from_uniform_row_length(pieces, shape[1], nrows=shape[0])
        return tokenizer(contexts), tokenizer(questions), pieces

    def lengths(self, segments: tuple, padding: str | None = None):
        """Counts the tokens that the rows of each question take, all as long as its longest.

        Args:
            segments: as `tokenize` gives them.
            padding: str, optional. In the place of the preprocessor's own.

        Returns:
            Int array `(B,)`.
        """
        contexts, questions, choices = segments
        pieces = choices.with_values(choices.values.row_lengths())  # (B, (N))
        rows = tf.expand_dims(contexts.row_lengths() + questions.row_lengths() + 3, 1) + pieces.to_tensor()
        longest = np.minimum(tf.reduce_max(rows, axis=1).numpy(), self.preprocessor.sequence_length)
        if (padding or self.preprocessor.padding) == "fixed":
            longest = np.full_like(longest, self.preprocessor.sequence_length)
        return longest * choices.row_lengths().numpy()

    def pack(self, segments: tuple, padding: str | None = None) -> dict:
        """Lays word pieces out in rows, with special tokens.

        Args:
            segments: as `tokenize` gives them, every question with as many choices.
            padding: str, optional. In the place of the preprocessor's own.

        Returns:
            dict of int32 tensors `(B, N, T)`.
        """
        contexts, questions, choices = segments
        count = choices.uniform_row_length  # known also of a batch of no rows
        count = choices.bounding_shape(axis=1) if count is None else count
        shape = (contexts.nrows(out_type=tf.int32), tf.cast(count, tf.int32))
        row = tf.repeat(tf.range(shape[0]), shape[1])
        contexts, questions, pieces = tf.gather(contexts, row), tf.gather(questions, row), choices.values
        lengths = (questions.row_lengths(), pieces.row_lengths())
        budget = tf.constant(self.preprocessor.sequence_length - 3, tf.int64)
        kept, _ = truncated_lengths(lengths, budget, "only_first")
        second = tf.concat([_first_of_rows(questions, kept), pieces], axis=1)
        packed = self.preprocessor.pack((contexts, second), padding, truncation="only_first")
        return {name: tf.reshape(part, [*shape, tf.shape(part)[1]]) for name, part in packed.items()}


def _first_of_rows(ragged, lengths):
    row = ragged.value_rowids()
    place = tf.range(tf.size(ragged.values, tf.int64)) - tf.gather(ragged.row_starts(), row)
    values = tf.boolean_mask(ragged.values, place < tf.gather(lengths, row))
    return tf.RaggedTensor.from_row_lengths(values, lengths)


def as_choices(inputs) -> tuple:
    """Sorts out what a user passed for contexts, questions and choices.

    Args:
        inputs: a tuple `(contexts, questions, choices)` or `(contexts, choices)`, or a list of such tuples, one for
            each question. Contexts and questions are texts `(B,)`, choices lists of `N` texts for each, or a string
            tensor or array `(B, N)`.

    Returns:
        Tuple of string tensors: contexts `(B,)`, questions `(B,)`, `""` where there are none, and choices `(B, N)`.

    Raises:
        ValueError: parts of different lengths, fewer than two choices or not as many for each question, or elements
            that are not strings.
    """
    if isinstance(inputs, list) and inputs and isinstance(inputs[0], tuple):
        if {type(one) for one in inputs} != {tuple} or len({len(one) for one in inputs}) != 1:
            raise _of_no_form("a list of other things")
        inputs = tuple(map(list, zip(*inputs, strict=True)))
    if not isinstance(inputs, tuple) or len(inputs) not in (2, 3):
        raise _of_no_form(f"a tuple of {len(inputs)}" if isinstance(inputs, tuple) else type(inputs).__name__)
    contexts, *questions, choices = inputs
    contexts = tf.reshape(string_tensor(contexts, "contexts"), [-1])
    questions = tf.reshape(string_tensor(questions[0], "questions"), [-1]) if questions else tf.zeros_like(contexts)
    choices = choices if isinstance(choices, tf.Tensor) else _choices_of_lists(choices)
    if choices.dtype != tf.string or choices.shape.rank != 2:
        raise _of_no_choices(f"shape {choices.shape} of {choices.dtype.name}")
    rows, count = choices.shape
    if rows != 0 and count is not None and count < 2:
        raise ValueError(f"A question must have at least two choices. Received: {count}. Add what else may be chosen.")
    counts = [contexts.shape[0], questions.shape[0], rows]
    if len({count for count in counts if count is not None}) > 1:
        raise ValueError(
            "There must be as many contexts, questions and lists of choices. "
            f"Received: {counts[0]}, {counts[1]} and {counts[2]}."
        )
    return contexts, questions, choices


def _choices_of_lists(choices):
    rows = choices if isinstance(choices, (list, tuple)) else np.asarray(choices).tolist()
    if not isinstance(rows, (list, tuple)):
        raise _of_no_choices(f"{rows!r:.60}")
    for row, texts in enumerate(rows):
        if not isinstance(texts, (list, tuple, np.ndarray)):
            raise _of_no_choices(f"{texts!r:.60} in row {row}")
        if len(texts) != len(rows[0]):
            raise ValueError(
                "Every question must have as many choices. "
                f"Received: {len(rows[0])} in row 0, {len(texts)} in row {row}. Leave out what is too much."
            )
        bad = [text for text in texts if not isinstance(text, (str, bytes))]
        if bad:
            raise _of_no_choices(f"{bad[0]!r:.60} in row {row}")
    texts = string_tensor([text for row in rows for text in row], "choices")
    return tf.reshape(texts, [len(rows), len(rows[0]) if len(rows) else np.shape(choices)[-1]])


def _of_no_form(found):
    return ValueError(
        "Inputs must be (contexts, questions, choices) or (contexts, choices), or a list of these for each question. "
        f"Received: {found}."
    )


def _of_no_choices(found):
    return ValueError(f"Choices must be a list of texts for each question, [['yes', 'no']]. Received: {found}.")
