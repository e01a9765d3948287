"""How a token classifier reads strings or words, and what it says about them."""

import math

import numpy as np
import tensorflow as tf
import tqdm

from keras_bert.data.examples import check_alone, checked_weights
from keras_bert.data.inputs import gives_ready_inputs
from keras_bert.data.windowed_examples import windowed_epochs
from keras_bert.data.word_examples import Words, as_words, word_labels, words_of_dataset
from keras_bert.data.word_windows import word_values, word_windows
from keras_bert.models.windowed import WindowedTask
from keras_bert.serving.tag_answers import entities, entity_answers, word_tags
from keras_bert.text.words import split_words

# Texts that are cut into windows at once, in training and in `predict`.
_EXAMPLES = 32
_GROUP = 256


class TokenPrediction(WindowedTask):
    """Base of `BertTokenClassifier`: words and strings in `fit`, `predict` and `export`. Not made by users."""

    def windows(self, words, others=None, padding: str | None = None):
        """Lays texts, cut into words, out in rows; see `word_windows`."""
        stride = self.doc_stride or self.preprocessor.sequence_length // 2
        return word_windows(self.preprocessor, words, others, stride=stride, padding=padding)

    def predict(self, x, batch_size: int | None = None, verbose="auto", **kwargs):
        """Finds the entities of texts, in order.

        Args:
            x: list of str, list of lists of words, or a tuple of either and of as many second segments; or a dict of
                arrays, ready inputs.
            batch_size: int, optional. Windows a batch; by default a batch holds about 2,048 tokens.
            verbose: "auto", the default, 1 or 0. Whether to show how far it is.
            **kwargs: `keras.Model.predict`'s.

        Returns:
            For each text a list of dicts: `entity`, its text; `label`; `start` and `end`, in characters, or in words
            where words were given; `score`, the mean probability of its words. Without a scheme every word is an
            entity. Of ready inputs the logits `(n, T, C)`.
        """
        if isinstance(x, dict):
            return self.predict_ready(x, batch_size, verbose, **kwargs)
        records = []
        for part, tags, scores in self._tagged(x, batch_size, verbose, kwargs):
            found = self._entities(tags, scores, part)
            columns = {name: values.to_list() for name, values in found.items()}
            contents = (part.words if part.texts is None else part.texts).numpy()
            for row, content in enumerate(contents):
                entries = zip(*(columns[name][row] for name in columns), strict=True)
                records.append([_record(content, dict(zip(columns, entry, strict=True))) for entry in entries])
        return records

    def predict_tags(self, x, batch_size: int | None = None, verbose="auto", **kwargs) -> list[list[str]]:
        """Gives the tag of every word.

        Args:
            x: as in `predict`.
            batch_size: as in `predict`.
            verbose: as in `predict`.
            **kwargs: `keras.Model.predict`'s.

        Returns:
            For each text a list of tags.
        """
        found = []
        for part, tags, _ in self._tagged(x, batch_size, verbose, kwargs):
            found += part.words.with_values(tags).to_list()
        return [[self.labels[tag] for tag in tags] for tags in found]

    def answer_inputs(self) -> tuple[str, ...]:
        """Names of the export's inputs."""
        return ("text", "text_pair") if self.pairs else ("text",)

    def answers(self, texts, others=None) -> dict:
        """Turns string tensors `(B,)` into the answers that `entity_answers` describes, in the graph."""
        part = Words(*split_words(texts), others, texts)
        windows = self.windows(part.words, others, "longest")
        tags, scores = self._tags(part.words, windows, self.window_outputs(windows.inputs))
        return entity_answers(texts, self._entities(tags, scores, part))

    def ready_answers(self, inputs: dict) -> dict:
        """Turns int tensors `(B, T)` into `logits` and `probabilities` of each token, in the graph."""
        logits = self(inputs, training=False)
        return {"probabilities": tf.nn.softmax(logits), "logits": logits}

    def _tagged(self, x, batch_size, verbose, options):
        self.check_reads_texts(batch_size)
        words = as_words(x)
        count = int(words.words.nrows())
        with tqdm.tqdm(desc="texts", total=count, disable=None if verbose == "auto" else not verbose) as bar:
            for low in range(0, count, _GROUP):
                rows = slice(low, low + _GROUP)
                part = Words(*(column if column is None else column[rows] for column in words))
                windows = self.windows(part.words, part.others, self._padding)
                logits = self.predict_windows(windows.inputs, batch_size, **options)
                yield part, *self._tags(part.words, windows, logits)
                bar.update(min(_GROUP, count - low))

    def _tags(self, words, windows, logits):
        said, is_said = word_values(windows, logits, tf.size(words.flat_values))
        outside = self.labels.index("O") if "O" in self.labels else 0
        return word_tags(said, is_said, words, self.rules, outside)

    def _entities(self, tags, scores, part):
        starts, ends = part.starts.flat_values, part.ends.flat_values
        return entities(tags, scores, part.words, starts, ends, self.labels, self.marks)

    def _holds_pairs(self, x):
        if isinstance(x, tf.data.Dataset) and not gives_ready_inputs(x):
            x = x.element_spec[0]
        return None if isinstance(x, (dict, tf.data.Dataset)) else isinstance(x, tuple)

    def _split(self, x, y, sample_weight, share):
        if isinstance(x, (dict, tf.data.Dataset)):
            return super()._split(x, y, sample_weight, share)
        if not isinstance(y, (list, tuple, np.ndarray)):
            raise ValueError(f"There must be labels for each text. Received: {y!r:.40}.")
        kept = math.floor(len(y) * (1 - share))
        if not 0 < share < 1 or kept in (0, len(y)):
            raise ValueError(
                f"`validation_split` must leave examples on both sides. Received: {share} of {len(y)} texts."
            )

        def part(rows):
            texts = tuple(column[rows] for column in x) if isinstance(x, tuple) else x[rows]
            return texts, y[rows], None if sample_weight is None else sample_weight[rows]

        return part(slice(0, kept)), part(slice(kept, None))

    def _epochs(self, x, y, sample_weight, batch_size, class_weight=None, training=False):
        is_dataset = isinstance(x, tf.data.Dataset)
        if isinstance(x, dict) or (is_dataset and gives_ready_inputs(x)):
            return super()._epochs(x, y, sample_weight, batch_size, class_weight)
        self.check_reads_texts(batch_size)
        table = self.class_weights(class_weight)
        if is_dataset:
            check_alone(y, sample_weight)
            examples, has_others = words_of_dataset(x, self.labels)
            examples = examples.ragged_batch(_EXAMPLES)
        else:
            examples, has_others = self._examples(x, y, sample_weight)

        def cut(words_of, labels_of, weights_of, others_of):
            windows = self.windows(words_of, others_of if has_others else None, "fixed")
            tags = tf.gather(tf.pad(labels_of.flat_values, [[0, 1]]), windows.words)
            weight = tf.cast(windows.speaks, tf.float32) * tf.gather(weights_of, windows.examples)[:, tf.newaxis]
            return windows.inputs, tags, weight if table is None else weight * tf.gather(table, tags)

        return windowed_epochs(
            examples,
            cut,
            batch_size=batch_size or 32,
            trim=self._padding is None,
            rows_multiple=self.distribute_strategy.num_replicas_in_sync,
        )

    def _examples(self, x, y, sample_weight):
        words = as_words(x)
        if not words.words.nrows():
            raise ValueError("There must be at least one text. Received: an empty list.")
        labels = word_labels(words, y, self.labels, self.marks)
        weights = checked_weights(sample_weight, len(y))
        others = tf.fill([len(y)], "") if words.others is None else words.others
        return (words.words, labels, weights, others), words.others is not None


def _record(content, found):
    start, end = found["start"], found["end"]
    if isinstance(content, bytes):
        entity = content.decode("utf-8", "ignore")[start:end]
    else:
        entity = " ".join(word.decode() for word in content[start:end])
    return {"entity": entity, **found, "label": found["label"].decode()}
