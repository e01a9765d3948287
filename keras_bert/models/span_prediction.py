"""How a span labeler reads strings: cut into windows, and answers put together from what it says to them."""

import os
import warnings

import numpy as np
import tensorflow as tf
import tqdm

from keras_bert.data.inputs import check_counts, gives_ready_inputs
from keras_bert.data.span_examples import answer_spans, as_pairs, span_epochs
from keras_bert.data.span_windows import span_windows
from keras_bert.data.token_budget import context_groups
from keras_bert.models.attribution import Attribution, checked_texts
from keras_bert.models.span_attribution import span_attributions
from keras_bert.models.windowed import WindowedTask
from keras_bert.serving.span_answers import span_answers


class SpanPrediction(WindowedTask):
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
        check_counts(n_best=n_best)
        if isinstance(x, dict):
            return self.predict_ready(x, batch_size, verbose, **kwargs)
        self.check_reads_texts(batch_size)
        records = []
        with tqdm.tqdm(desc="questions", disable=None if verbose == "auto" else not verbose) as bar:
            for questions, contexts in context_groups(x, self.preprocessor):
                self._warn_of_cut_questions(questions)
                answers, *_ = self._answer(questions, contexts, batch_size, n_best, **kwargs)
                records += _records({name: part.numpy() for name, part in answers.items()})
                bar.update(len(questions))
        return records

    def attributions(self, x) -> list[tuple[Attribution, Attribution]]:
        """Tells what the tokens of question and context add to the logits of the best answer, by integrated gradients.

        A long context is explained in the window that the answer was found in; no answer by the logits of [CLS].

        Args:
            x: pairs `(questions, contexts)`, a list of pairs, or a `tf.data.Dataset` of pairs, with answers or
                without.

        Returns:
            List of pairs of `Attribution`: of the begin of each answer, and of its end.

        Raises:
            ValueError: inputs that are no pairs of texts.
        """
        self.check_reads_texts()
        found = []
        for questions, contexts in context_groups(checked_texts(x), self.preprocessor):
            self._warn_of_cut_questions(questions)
            answers, windows, logits = self._answer(questions, contexts, None, n_best=1)
            found += span_attributions(self, questions, contexts, windows, **logits, answers=answers)
        return found

    def answer_inputs(self) -> tuple[str, ...]:
        """Names of the export's inputs."""
        return ("question", "context")

    def export(
        self,
        path: str | os.PathLike,
        n_best: int = 1,
        dtype: str | None = None,
        format: str = "tf_saved_model",
    ) -> None:
        """Writes a SavedModel that takes questions and contexts and gives answers, whole or not at all.

        Args:
            path: str or path of the directory, "serving/answers/1" for example.
            n_best: int, default 1. Above 1 it also gives so many answers of each context; see `span_answers`.
            dtype: str, optional. As in `BertClassifier.export`.
            format: str, default "tf_saved_model"; or "litert", as in `BertClassifier.export`.

        Raises:
            ValueError: the model has no preprocessor, an `n_best` below 1, a format that there is not, or an operation
                that older servers do not know.
        """
        check_counts(n_best=n_best)
        super().export(path, dtype, format, **({} if n_best == 1 else {"n_best": n_best}))

    def answers(self, questions, contexts, n_best: int = 1) -> dict:
        """Turns two string tensors `(B,)` into the answers that `span_answers` describes, in the graph."""
        windows = self.windows(questions, contexts, "longest")
        return self._decode(contexts, windows, **self.window_outputs(windows.inputs), n_best=n_best)

    def ready_answers(self, inputs: dict) -> dict:
        """Turns int tensors `(B, T)` into logits and probabilities of both ends of the answer, in the graph."""
        logits = self(inputs, training=False)
        return logits | {
            name.replace("logits", "probabilities"): tf.nn.softmax(part) for name, part in logits.items()
        }

    def _answer(self, questions, contexts, batch_size, n_best, **kwargs):
        windows = self.windows(questions, contexts, self._padding)
        logits = self.predict_windows(windows.inputs, batch_size, **kwargs)
        return self._decode(contexts, windows, **logits, n_best=n_best), windows, logits

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

    def _epochs(self, x, y, sample_weight, batch_size, class_weight=None, training=False):
        is_dataset = isinstance(x, tf.data.Dataset)
        if isinstance(x, dict) or (is_dataset and gives_ready_inputs(x)):
            return super()._epochs(x, y, sample_weight, batch_size, class_weight)
        self.class_weights(class_weight)
        self.check_reads_texts(batch_size)
        if not is_dataset:
            x = as_pairs(x)
            y = answer_spans(x[1], y)
            self._warn_of_cut_questions(x[0])
            self._warn_of_long_answers(x[1], y)
        return span_epochs(
            x,
            y,
            sample_weight,
            windows=lambda *texts: self.windows(*texts, padding="fixed"),
            batch_size=batch_size or 32,
            trim=self._padding is None,
            rows_multiple=self.distribute_strategy.num_replicas_in_sync,
        )

    def _warn_of_long_answers(self, contexts, spans):
        decoded = (context.decode("utf-8", "ignore") for context in contexts.numpy())
        texts = [context[start:end] for context, (start, end) in zip(decoded, spans, strict=True)]
        self._warn_of_longer(texts, "answers", "max_answer_length", "which the model does not give")

    def _warn_of_cut_questions(self, questions):
        self._warn_of_longer(questions, "questions", "max_question_length", "and are cut")

    def _warn_of_longer(self, texts, what, limit, then):
        lengths = self.preprocessor.tokenizer(texts).row_lengths().numpy()
        longer = np.flatnonzero(lengths > getattr(self, limit))
        if len(longer):
            warnings.warn(
                f"{len(longer)} of {len(lengths)} {what} are longer than {limit}={getattr(self, limit)} tokens "
                f"{then}: in row {longer[0]}, for example.",
                stacklevel=5,
            )


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
