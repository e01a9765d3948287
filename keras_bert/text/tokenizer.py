"""BERT's tokenizer: strings to token ids, in the TensorFlow graph, exactly as the original."""

import os
import re
from collections.abc import Sequence

import keras
import tensorflow as tf
import tensorflow_text as tf_text

from keras_bert.presets.read import read_preset
from keras_bert.presets.write import write_preset
from keras_bert.text.normalization import is_plain, normalize
from keras_bert.text.offsets import character_offsets, source_offsets
from keras_bert.text.strings import string_tensor
from keras_bert.text.vocabulary import Vocabulary


@keras.saving.register_keras_serializable("keras_bert")
class BertTokenizer:
    """Cuts texts into BERT's word pieces, with the original's ids for every language and every odd character.

    Runs in the TensorFlow graph, so a `tf.data` pipeline and an exported model use the same code. What looks like a
    special token in a text is literal text, unless asked for: a user's text must not inject [SEP].

    Args:
        vocabulary: `Vocabulary`, list of str or path of a `vocab.txt`.
        lowercase: bool, default True. Whether the vocabulary is an uncased one.
        strip_accents: bool, optional. Defaults to `lowercase`, as in the original.
        special_tokens_in_text: bool, default False. Whether "[MASK]", "[SEP]", ... in a text are those tokens.
        never_split: sequence of str, default (). Words of the vocabulary that are found in a text as they stand, and
            stay whole.
        longest_word: int, default 200. Longer words, in characters, become [UNK]. Hugging Face's cap is 100.

    Call arguments:
        texts: str, list of str, NumPy array or string tensor `()` or `(B,)`.

    Returns:
        Ragged int32 tensor `(B, (T))`; an int32 tensor `(T,)` for one string.

    Raises:
        ValueError: a vocabulary without special tokens, a word in `never_split` that it does not hold, or texts that
            are not strings.

    Example:
    >>> tokenizer = keras_bert.BertTokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "play", "##ing", "!"])
    >>> tokenizer(["Playing!", "play"]).to_list()
    [[5, 6, 7], [5]]

    Reference:
        https://github.com/google-research/bert, `tokenization.py`; Song et al., 2021, Fast WordPiece
        (https://arxiv.org/abs/2012.15524).
    """

    def __init__(
        self,
        vocabulary: Vocabulary | Sequence[str] | str | os.PathLike,
        lowercase: bool = True,
        strip_accents: bool | None = None,
        special_tokens_in_text: bool = False,
        never_split: Sequence[str] = (),
        longest_word: int = 200,
    ):
        self.vocabulary = vocabulary if isinstance(vocabulary, Vocabulary) else Vocabulary(vocabulary)
        self.lowercase = lowercase
        self.strip_accents = strip_accents
        self.special_tokens_in_text = special_tokens_in_text
        self.never_split = tuple(never_split)
        self.longest_word = longest_word
        if not 1 <= longest_word <= 1000:
            raise ValueError(f"`longest_word` must be 1 to 1000. Received: {longest_word}. The original's is 200.")
        unknown = [word for word in self.never_split if word not in self.vocabulary]
        if unknown:
            raise ValueError(
                "Words in `never_split` must be in the vocabulary. "
                f"Received: {', '.join(map(repr, unknown[:10]))}. Add them with `tokenizer.with_tokens([...])`."
            )
        special = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]") if special_tokens_in_text else ()
        self._whole = [word for word in dict.fromkeys(special + self.never_split) if word in self.vocabulary]
        if all(token.startswith("[") or not token for token in self.vocabulary.tokens):
            raise ValueError("A vocabulary must hold word pieces. Received: special tokens only. Train one first.")
        # UTF-8 takes at most 4 bytes a character; the cap in characters is held before.
        with tf.init_scope():
            self._wordpiece = tf_text.FastWordpieceTokenizer(
                self.vocabulary.searchable_tokens(),
                token_out_type=tf.int32,
                max_bytes_per_word=4 * longest_word,
                unknown_token="[UNK]",
                no_pretokenization=False,
            )

    def __call__(self, texts):
        texts = string_tensor(texts)
        if texts.shape.rank == 0:
            return self(texts[tf.newaxis]).flat_values
        if not self._whole:
            return self._wordpiece.tokenize(self._normalize(texts))
        parts = self._parts(texts)[0]  # (B, (parts))
        ids = self._wordpiece.tokenize(self._normalize(parts.flat_values))
        return parts.with_values(self._keep_whole(parts.flat_values, ids)).merge_dims(1, 2)

    def tokenize_with_offsets(self, texts, unit: str = "character"):
        """Cuts texts into word pieces and tells where each stands in its text.

        Args:
            texts: list of str, NumPy array or string tensor `(B,)`. Bytes that are no UTF-8 are dropped before they
                are counted.
            unit: str, default "character": offsets in characters, as Python counts them; "byte": in UTF-8 bytes.

        Returns:
            Three ragged int32 tensors `(B, (T))`: ids, starts, ends. A piece is `text[start:end]`, with the accents
            that were taken off it.

        Raises:
            ValueError: another unit, or texts that are not strings.

        Example:
        >>> ids, starts, ends = tokenizer.tokenize_with_offsets(["Playing!"])
        """
        if unit not in ("character", "byte"):
            raise ValueError(f"`unit` must be 'character' or 'byte'. Received: {unit!r}.")
        texts = string_tensor(texts)
        if texts.shape.rank == 0:
            texts = texts[tf.newaxis]
        texts = tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8", errors="ignore")
        parts, part_starts = self._parts(texts)
        flat = parts.flat_values
        ids, starts, ends = self._wordpiece.tokenize_with_offsets(self._normalize(flat))
        starts, ends = source_offsets(flat, starts, ends, self.lowercase, self._strips_accents)
        if self._whole:
            ids = self._keep_whole(flat, ids)
            starts = self._keep_whole(flat, starts, tf.zeros_like(flat, tf.int32))
            ends = self._keep_whole(flat, ends, tf.strings.length(flat))
        shift = part_starts.flat_values[:, tf.newaxis]
        ids, starts, ends = (parts.with_values(x).merge_dims(1, 2) for x in (ids, starts + shift, ends + shift))
        if unit == "character":
            starts, ends = character_offsets(texts, starts), character_offsets(texts, ends)
        return ids, starts, ends

    def detokenize(self, ids):
        """Joins ids back into texts: pieces into words, no space between Chinese characters, no special tokens.

        Args:
            ids: int tensor or list `(T,)` or `(B, T)`, or a ragged one.

        Returns:
            String tensor `()` or `(B,)`. Case and accents that the tokenizer took off stay off.

        Example:
        >>> tokenizer.detokenize(tokenizer(["Playing!"])).numpy()
        array([b'playing !'], dtype=object)
        """
        if not isinstance(ids, tf.RaggedTensor):
            ids = tf.ragged.constant(ids) if isinstance(ids, list) and ids and isinstance(ids[0], list) else ids
        if not isinstance(ids, tf.RaggedTensor):
            ids = tf.cast(tf.convert_to_tensor(ids), tf.int32)
            if ids.shape.rank == 1:
                return self.detokenize(ids[tf.newaxis])[0]
            ids = tf.RaggedTensor.from_tensor(ids)
        vocabulary = self.vocabulary
        hidden = tf.constant([vocabulary.pad_id, vocabulary.cls_id, vocabulary.sep_id], ids.dtype)
        shown = tf.reduce_all(ids.flat_values[:, tf.newaxis] != hidden, axis=1)
        ids = tf.ragged.boolean_mask(ids, ids.with_flat_values(shown))
        pieces = tf.gather(tf.constant(vocabulary.tokens), ids.flat_values)
        texts = tf.strings.reduce_join(ids.with_flat_values(pieces), axis=-1, separator=" ")
        texts = tf.strings.regex_replace(texts, " ##", "")
        # Twice: the second pass finds the pairs that overlap the first's.
        for _ in range(2):
            texts = tf.strings.regex_replace(texts, r"(\p{Han}) (\p{Han})", r"\1\2")
        return texts

    def with_tokens(self, tokens: Sequence[str]) -> "BertTokenizer":
        """Adds tokens, such as entity markers or words of a trade, that are found in texts and stay whole.

        Args:
            tokens: sequence of str.

        Returns:
            A new `BertTokenizer`. A model that uses it needs `BertEncoder.with_vocabulary_size`.

        Example:
        >>> tokenizer = tokenizer.with_tokens(["[E1]", "[/E1]"])
        """
        config = self.get_config()
        config["vocabulary"] = self.vocabulary.with_tokens(tokens)
        config["never_split"] = tuple(dict.fromkeys(self.never_split + tuple(tokens)))
        return BertTokenizer(**config)

    @classmethod
    def from_preset(cls, preset: str | os.PathLike, **overrides) -> "BertTokenizer":
        """Reads a tokenizer from a preset.

        Args:
            preset: str or path. A directory, `hf://owner/repo`, `kaggle://...` or a KerasHub name.
            **overrides: arguments of `BertTokenizer` to use in the place of the preset's.

        Returns:
            `BertTokenizer`.

        Raises:
            ValueError: no such preset, or it has no vocabulary.
        """
        config, vocabulary, _ = read_preset(preset, load_weights=False)
        if vocabulary is None:
            raise ValueError(f"A tokenizer needs a vocabulary. Received: preset {preset!r} without vocab.txt. Add it.")
        return cls(vocabulary, **{**config["tokenizer"], **overrides})

    def save_to_preset(self, path: str | os.PathLike) -> None:
        """Writes the vocabulary and the settings as a preset, whole or not at all.

        Args:
            path: str or path of the directory.
        """
        write_preset(path, {"tokenizer": self.preset_config()}, list(self.vocabulary.tokens))

    def preset_config(self) -> dict:
        """Gives the arguments that a preset keeps: all but the vocabulary, which has a file of its own.

        Returns:
            dict.
        """
        config = self.get_config()
        del config["vocabulary"]
        return config

    def get_config(self) -> dict:
        return {
            "vocabulary": list(self.vocabulary.tokens),
            "lowercase": self.lowercase,
            "strip_accents": self.strip_accents,
            "special_tokens_in_text": self.special_tokens_in_text,
            "never_split": list(self.never_split),
            "longest_word": self.longest_word,
        }

    @classmethod
    def from_config(cls, config):
        return cls(**config)

    @property
    def _strips_accents(self):
        return self.lowercase if self.strip_accents is None else self.strip_accents

    def _normalize(self, texts):
        plain = is_plain(texts, self.longest_word)
        rows = tf.where(~plain)
        folded = tf.strings.lower(texts) if self.lowercase else texts

        def normalized():
            other = normalize(tf.gather_nd(texts, rows), self.lowercase, self._strips_accents, self.longest_word)
            return tf.tensor_scatter_nd_update(folded, rows, other)

        # A batch of plain ASCII, as most of English is, skips some 20 operations: a fifth of a single text's time.
        return tf.cond(tf.reduce_all(plain), lambda: folded, normalized)

    def _parts(self, texts):
        """Cuts texts at the words that stay whole: ragged parts and where each begins, in bytes."""
        if not self._whole:
            return tf.RaggedTensor.from_tensor(texts[:, tf.newaxis]), tf.RaggedTensor.from_tensor(
                tf.zeros_like(texts, tf.int32)[:, tf.newaxis]
            )
        pattern = "|".join(_whole_word(word) for word in sorted(self._whole, key=len, reverse=True))
        parts, starts, _ = tf_text.regex_split_with_offsets(texts, pattern, pattern)
        return parts, tf.cast(starts, tf.int32)

    def _keep_whole(self, parts, values, whole=None):
        """Puts one value, by default the word's id, in the place of the pieces of a part that stays whole."""
        ids = tf.constant([self.vocabulary.id_of(word) for word in self._whole])
        equal = parts[:, tf.newaxis] == tf.constant(self._whole)  # (parts, words)
        is_whole = tf.reduce_any(equal, axis=1)
        single = tf.gather(ids, tf.argmax(equal, axis=1)) if whole is None else whole
        values = tf.cast(values, tf.int32)
        lengths = tf.where(is_whole, tf.zeros_like(values.row_lengths()), values.row_lengths())
        cut = tf.ragged.boolean_mask(values, values.with_values(~tf.repeat(is_whole, values.row_lengths())))
        cut = tf.RaggedTensor.from_row_lengths(cut.flat_values, lengths)
        alone = tf.RaggedTensor.from_row_lengths(tf.boolean_mask(single, is_whole), tf.cast(is_whole, tf.int64))
        return tf.concat([alone, cut], axis=1)


def _whole_word(word):
    """A pattern that finds a word; one that begins or ends in a letter or digit not inside a longer ASCII word."""
    before = r"\b" if re.match(r"[A-Za-z0-9_]", word) else ""
    after = r"\b" if re.search(r"[A-Za-z0-9_]$", word) else ""
    return before + re.sub(r"([^\w\s]|_)", r"\\\1", word, flags=re.ASCII) + after
