"""How a span labeler reads strings: cut into windows, and answers put together from what it says to them."""

import os
import warnings

import keras
import numpy as np
import tensorflow as tf
import tqdm

from keras_bert.data.inputs import checked_features
from keras_bert.data.span_examples import answer_spans, as_pairs, span_batches
from keras_bert.data.span_windows import span_windows
from keras_bert.data.token_budget import context_groups, row_batches
from keras_bert.models.task import Task
from keras_bert.serving.span_answers import span_answers

# Windows that are computed at once in an export: what bounds its memory.
_ROWS = 16


class SpanPrediction(Task):
    """Base of `BertSpanLabeler`: strings in `fit`, `evaluate`, `predict` and `export`. Not made by users."""

    def windows(self, questions, contexts, padding: str | None = None):
        """Lays questions and contexts out in rows; see `span_windows`."""
        return span_windows(
            self.preprocessor,
            questions,
            contexts,
            doc_stride=self.doc_stride,
            max_question_length=self.max_question_length,
            padding=padding,
        )

    def predict(self, x, batch_size: int | None = None, verbose="auto", n_best: int = 1, **kwargs):
        """Answers questions, in order.

        Args:
            x: pairs `(questions, contexts)`, a list of pairs, or a `tf.data.Dataset` of pairs, with answers or
                without; or a dict of arrays, ready inputs.
            batch_size: int, optional. Windows a batch; by default a batch holds about 2,048 tokens.
            verbose: "auto", the default, 1 or 0. Whether to show how far it is.
            n_best: int, default 1. How many answers of each context to list.
            **kwargs: `keras.Model.predict`'s.

        Returns:
            List of dicts: `answer`, a part of the context, `""` for none; `start` and `end`, where it is, in
            characters; `score`, its probability. With a `no_answer_threshold` also `no_answer_score`, the logits of no
            answer less those of the best answer; with `n_best` above 1 `answers`, a list of dicts, best first. Of ready
            inputs a dict of logits `(n, T)`.

        Raises:
            ValueError: for inputs that cannot be used, or an `n_best` below 1.
        """
        _check_count(n_best)
        if isinstance(x, dict):
            return keras.Model.predict(self, checked_features(x), batch_size or 32, verbose, **kwargs)
        records = []
        with tqdm.tqdm(desc="questions", disable=None if verbose == "auto" else not verbose) as bar:
            for questions, contexts in context_groups(x, self.preprocessor):
                self._warn_of_cut_questions(questions)
                windows = self.windows(questions, contexts, self._padding)
                dataset, order = row_batches(windows.inputs, batch_size, trim=self._padding is None)
                logits = keras.Model.predict(self, dataset, verbose=0, **kwargs)
                back, width = np.argsort(order), windows.inputs["token_ids"].shape[1]
                logits = [logits[name][back, :width] for name in self.output]
                answers = self._decode(contexts, windows, *logits, n_best)
                records += _records({name: part.numpy() for name, part in answers.items()})
                bar.update(len(questions))
        return records

    def predict_step(self, data):
        x, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        logits = self(x, training=False)
        if self.preprocessor is None:
            return logits
        # Batches of one width, so that Keras can join them.
        missing = tf.maximum(self.preprocessor.sequence_length - tf.shape(x["token_ids"])[1], 0)
        return {name: tf.pad(part, [[0, 0], [0, missing]]) for name, part in logits.items()}

    def answer_inputs(self) -> tuple[str, ...]:
        """Names of the export's inputs."""
        return ("question", "context")

    def export(self, path: str | os.PathLike, n_best: int = 1) -> None:
        """Writes a SavedModel that takes questions and contexts and gives answers, whole or not at all.

        Args:
            path: str or path of the directory, "serving/answers/1" for example.
            n_best: int, default 1. Above 1 it also gives so many answers of each context; see `span_answers`.

        Raises:
            ValueError: the model has no preprocessor, an `n_best` below 1, or an operation that older servers do not
                know.
        """
        _check_count(n_best)
        super().export(path, n_best=n_best)

    def answers(self, questions, contexts, n_best: int = 1) -> dict:
        """Turns two string tensors `(B,)` into the answers that `span_answers` describes, in the graph."""
        windows = self.windows(questions, contexts, "longest")
        return self._decode(contexts, windows, *self._logits(windows.inputs), n_best)

    def _decode(self, contexts, windows, start_logits, end_logits, n_best):
        return span_answers(
            contexts,
            windows,
            start_logits,
            end_logits,
            n_best=n_best,
            max_answer_length=self.max_answer_length,
            no_answer_threshold=self.no_answer_threshold,
        )

    def _logits(self, inputs):
        """Computes a few windows at a time, longest first, so that a long context needs no more memory than a short."""
        lengths = tf.reduce_sum(inputs["padding_mask"], axis=1)
        width, order = tf.shape(inputs["token_ids"])[1], tf.argsort(lengths, direction="DESCENDING")
        inputs, lengths = {name: tf.gather(part, order) for name, part in inputs.items()}, tf.gather(lengths, order)

        def compute(i, *arrays):
            rows = slice(i * _ROWS, (i + 1) * _ROWS)
            longest = tf.reduce_max(tf.concat([lengths[rows], [1]], 0))
            logits = self({name: part[rows, :longest] for name, part in inputs.items()}, training=False)
            pad = [[0, 0], [0, width - longest]]
            parts = (tf.pad(logits[name], pad) for name in self.output)
            return i + 1, *(array.write(i, part) for array, part in zip(arrays, parts, strict=True))

        count = tf.maximum(1, (tf.size(order) + _ROWS - 1) // _ROWS)
        arrays = [tf.TensorArray(tf.float32, count, infer_shape=False, element_shape=(None, None)) for _ in self.output]
        _, *arrays = tf.while_loop(lambda i, *_: i < count, compute, (0, *arrays), parallel_iterations=1)
        back = tf.math.invert_permutation(order)
        return [tf.gather(array.concat(), back) for array in arrays]

    def _batches(self, x, y, sample_weight, batch_size, shuffle=False, class_weight=None):
        spec = x.element_spec[0] if isinstance(x, tf.data.Dataset) else x
        if isinstance(spec, dict):
            return super()._batches(x, y, sample_weight, batch_size, shuffle, class_weight)
        self.class_weights(class_weight)
        if not isinstance(x, tf.data.Dataset):
            x = as_pairs(x)
            if y is None or len(y) != len(x[0]):
                found = "none" if y is None else len(y)
                raise ValueError(f"There must be an answer for each question. Received: {found} for {len(x[0])}.")
            y = answer_spans(x[1], y)
            self._warn_of_cut_questions(x[0])
        return span_batches(
            x,
            y,
            sample_weight,
            windows=lambda *texts: self.windows(*texts, padding="fixed"),
            batch_size=batch_size or 32,
            shuffle=shuffle,
            trim=self._padding is None,
            rows_multiple=self.distribute_strategy.num_replicas_in_sync,
        )

    def _warn_of_cut_questions(self, questions):
        lengths = self.preprocessor.tokenizer(questions).row_lengths().numpy()
        longer = np.flatnonzero(lengths > self.max_question_length)
        if len(longer):
            warnings.warn(
                f"{len(longer)} of {len(lengths)} questions are longer than max_question_length="
                f"{self.max_question_length} tokens and are cut: in row {longer[0]}, for example.",
                stacklevel=4,
            )


def _check_count(n_best):
    if not isinstance(n_best, int) or n_best < 1:
        raise ValueError(f"`n_best` must be a whole number of at least 1. Received: {n_best!r}.")


def _records(answers):
    """Turns arrays into a dict for each row, and lists of n best into lists of dicts."""
    texts = ("answer", "answers")
    answers = {
        name: np.vectorize(bytes.decode, otypes=[object])(part) if name in texts and part.size else part
        for name, part in answers.items()
    }
    best = {"answer": "answers", "start": "starts", "end": "ends", "score": "scores"}
    columns = {name: part.tolist() for name, part in answers.items()}
    records = []
    for row in range(len(columns["answer"])):
        record = {name: column[row] for name, column in columns.items() if name not in best.values()}
        if "answers" in columns:
            values = zip(*(columns[name][row] for name in best.values()), strict=True)
            record["answers"] = [dict(zip(best, value, strict=True)) for value in values if value[3] > 0]
        records.append(record)
    return records
