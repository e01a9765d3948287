"""How a masked language model reads strings: masks to fill, and tokens to judge."""

import functools
import itertools
import os
import types

import keras
import numpy as np
import tensorflow as tf

from keras_bert.data.inputs import check_counts, check_names, single_texts
from keras_bert.data.masked_rows import checked_masks
from keras_bert.data.masked_texts import check_masks, mask_batches, read_masks, single_mask_batches
from keras_bert.data.token_budget import portions
from keras_bert.models.masked_training import MaskedTraining, are_texts
from keras_bert.models.row_parts import compute_in_parts
from keras_bert.serving.examples import MASKED_EXAMPLES
from keras_bert.serving.mask_answers import best_tokens, filled_texts, mask_answers, token_log_probabilities
from keras_bert.text.masking import chosen_positions
from keras_bert.text.preprocessor import BertPreprocessor

# Masks whose logits are in memory at once in an export.
_MASKS = 256


class MaskedPrediction(MaskedTraining):
    """Base of `BertMaskedLM`: strings in `predict`, `pseudo_perplexity` and `export`. Not made by users."""

    examples = types.MappingProxyType(MASKED_EXAMPLES)

    def predict(self, x, batch_size: int | None = None, verbose="auto", top_k: int = 5, **kwargs):
        """Fills the masks of texts, in order.

        Args:
            x: list of str, each with one "[MASK]" or more, or a `tf.data.Dataset` of strings; or a dict of arrays,
                ready inputs.
            batch_size: int, optional. Rows a batch; by default a batch holds about 2,048 tokens.
            verbose: as in `keras.Model.predict`.
            top_k: int, default 5. How many tokens to list for each mask.
            **kwargs: `keras.Model.predict`'s.

        Returns:
            For each text a list, for each of its masks a list of dicts, best first: `token`; `score`, its probability;
            `filled`, the text with this mask filled, as it was written but for that: other masks stay, and "##s" joins
            the word before. Of ready inputs the logits `(n, P, V)`.

        Raises:
            ValueError: a text without [MASK], or with one that a row does not hold; a `top_k` that there is not.
        """
        check_counts(batch_size=batch_size)
        if not are_texts(x):
            return self._predict_ready(x, batch_size, verbose, **kwargs)
        self.check_reads_texts()
        self._check_top_k(top_k)
        reader, records = self._reader(), []
        for part in portions(x, reader, pairs=False):
            masked = read_masks(reader, single_texts(part))
            check_masks(masked, len(records), reader.sequence_length - 2)
            ids, scores = self._fill(masked, reader, top_k, batch_size, verbose=verbose, **kwargs)
            tokens = tf.gather(tf.constant(reader.tokenizer.vocabulary.tokens), ids)
            filled = filled_texts(masked.texts, masked.starts, masked.ends, tokens)
            records += _records(masked.starts.row_lengths().numpy(), tokens.numpy(), scores, filled.numpy())
        return records

    def pseudo_perplexity(self, x, batch_size: int | None = None, verbose="auto", **kwargs) -> np.ndarray:
        """Tells how unexpected texts are: each token is hidden alone, and guessed from all others.

        Args:
            x: list of str, or a `tf.data.Dataset` of strings. Of a longer text what a row holds is judged.
            batch_size: int, optional. Rows a batch, a row a token; by default a batch holds about 2,048 tokens.
            verbose: as in `keras.Model.predict`.
            **kwargs: `keras.Model.predict`'s.

        Returns:
            Float array `(n,)`: of each text the exponential of the mean negative log probability of its tokens. [UNK]
            and other special tokens are read but not counted; a text without others has none: NaN.

        Raises:
            ValueError: the model has no preprocessor, or texts that are not strings.

        Reference:
            Salazar et al., 2020 (https://arxiv.org/abs/1910.14659).
        """
        self.check_reads_texts(batch_size)
        values = [np.zeros(0)]
        for part in portions(x, self.preprocessor, pairs=False):
            ids = self.preprocessor.tokenizer(single_texts(part))
            dataset, texts = single_mask_batches(ids, self.preprocessor, batch_size, self._padding)
            found = self.predict_batches(dataset, verbose=verbose, **kwargs) if len(texts) else np.zeros((0, 1))
            rows = int(ids.nrows())
            losses = np.bincount(texts, -found[:, 0].astype("float64"), minlength=rows)
            counts = np.bincount(texts, minlength=rows)
            values.append(np.exp(losses / np.where(counts, counts, np.nan)))
        return np.concatenate(values)

    def predict_step(self, data):
        x, asked, _ = keras.utils.unpack_x_y_sample_weight(data)
        logits = self(x, training=False)
        if asked is None:
            return logits
        if "mask_ids" in asked:
            return token_log_probabilities(logits, asked["mask_ids"])
        return best_tokens(logits, asked["top_k"].shape[1], len(self.preprocessor.tokenizer.vocabulary))

    def export(
        self,
        path: str | os.PathLike,
        top_k: int = 5,
        dtype: str | None = None,
        format: str = "tf_saved_model",
    ) -> None:
        """Writes a SavedModel that takes texts with [MASK] and fills them, whole or not at all.

        A text without [MASK] gets no answers there, and no error.

        Args:
            path: str or path of the directory, "serving/words/1" for example.
            top_k: int, default 5. How many tokens to list for each mask; see `mask_answers`.
            dtype: str, optional. As in `BertClassifier.export`.
            format: str, default "tf_saved_model", the only one of this head.

        Raises:
            ValueError: the model has no preprocessor, a `top_k` that there is not, or an operation that older servers
                do not know.
        """
        if self.preprocessor is not None:
            self._check_top_k(top_k)
        super().export(path, dtype, format, top_k=top_k)

    def answer_inputs(self) -> tuple[str, ...]:
        """Names of the export's inputs."""
        return ("text",)

    def answers(self, texts, top_k: int = 5) -> dict:
        """Turns a string tensor `(B,)` into the answers that `mask_answers` describes, in the graph."""
        reader = self._reader()
        vocabulary = reader.tokenizer.vocabulary
        masked = read_masks(reader, texts)
        inputs = reader.pack((masked.ids,), "longest")
        width = tf.reduce_max(tf.concat([tf.cast(masked.starts.row_lengths(), tf.int32), [1]], 0))
        positions, _ = chosen_positions(inputs["token_ids"] == vocabulary.mask_id, width)

        def compute(some):
            return best_tokens(self(some, training=False), top_k, len(vocabulary))

        kinds = {"ids": tf.int32, "scores": tf.float32}
        specs = {name: tf.TensorSpec((None, None, top_k), kind) for name, kind in kinds.items()}
        rows = tf.clip_by_value(_MASKS // width, 1, 16)
        found = compute_in_parts(compute, {**inputs, "mask_positions": positions}, specs, rows)
        return mask_answers(masked, **found, vocabulary=vocabulary.tokens)

    @functools.cached_property
    def _mask_tokenizer(self):
        return self.preprocessor.tokenizer.with_tokens(["[MASK]"])

    def _reader(self):
        """The preprocessor to which "[MASK]" in a text is that token; other special tokens are text, as ever."""
        return BertPreprocessor(self._mask_tokenizer, **self.preprocessor.preset_config())

    def _fill(self, masked, reader, top_k, batch_size, **options):
        """Gives ids and scores `(masks, K)` of the masks of all texts in one line."""
        counts = masked.starts.row_lengths().numpy()
        first = np.cumsum(counts) - counts
        ids, scores = (np.zeros((counts.sum(), top_k), kind) for kind in ("int32", "float32"))
        # Texts with about as many masks together: what is computed for one of them is computed for all.
        widths = 2 ** np.ceil(np.log2(counts)).astype(int)
        for width in np.unique(widths).tolist():
            rows = np.flatnonzero(widths == width)
            some = tf.gather(masked.ids, rows)
            dataset, order = mask_batches(some, reader, width, top_k, batch_size, self._padding)
            found = self.predict_batches(dataset, **options)
            rows = rows[order]
            is_mask = np.arange(width) < counts[rows][:, np.newaxis]
            places = (first[rows][:, np.newaxis] + np.arange(width))[is_mask]
            ids[places], scores[places] = found["ids"][is_mask], found["scores"][is_mask]
        return ids, scores

    def _predict_ready(self, x, batch_size, verbose, **kwargs):
        if isinstance(x, dict):
            x = checked_masks(x, ("mask_positions",))
            return self.predict_batches(x, batch_size or 32, verbose, **kwargs)
        spec = x.element_spec[0] if isinstance(x.element_spec, tuple) else x.element_spec
        check_names(spec, ("mask_positions",))
        x = x.map(lambda rows, *_: {name: rows[name] for name in self.input})
        return self.predict_batches(x, verbose=verbose, **kwargs)

    def _check_top_k(self, top_k):
        check_counts(top_k=top_k)
        count = len(self.preprocessor.tokenizer.vocabulary)
        if top_k > count:
            raise ValueError(f"`top_k` must be at most {count}, the tokens of the vocabulary. Received: {top_k}.")


def _records(counts, tokens, scores, filled):
    """Lists the fillings of each mask of each text."""
    columns = (np.vectorize(bytes.decode, otypes=[object])(part) if part.size else part for part in (tokens, filled))
    columns = [column.tolist() for column in (*columns, scores)]
    fillings = [
        [{"token": token, "score": score, "filled": text} for token, text, score in zip(*mask, strict=True)]
        for mask in zip(*columns, strict=True)
    ]
    bounds = np.cumsum([0, *counts])
    return [fillings[low:high] for low, high in itertools.pairwise(bounds)]
