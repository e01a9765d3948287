"""BERT's tokenizer: strings to token ids, in the TensorFlow graph, exactly as the original."""

import os
from collections.abc import Sequence

import keras
import tensorflow as tf
import tensorflow_text as tf_text

from keras_bert.presets.read import read_preset
from keras_bert.presets.tokenizer_files import SPECIAL_TOKENS
from keras_bert.presets.write import write_preset
from keras_bert.text.detokenize import detokenize
from keras_bert.text.normalization import normalize
from keras_bert.text.offsets import character_offsets, source_offsets
from keras_bert.text.strings import string_tensor
from keras_bert.text.vocabulary import Vocabulary
from keras_bert.text.whole_words import WholeWords


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
        never_split: sequence of str, default (). Words of the vocabulary that are found in a text as they stand, not
            inside a longer ASCII word, and stay whole.
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
        if not isinstance(longest_word, int) or not 1 <= longest_word <= 1000:
            raise ValueError(f"`longest_word` must be 1 to 1000. Received: {longest_word!r}. The original's is 200.")
        if isinstance(never_split, str) or "" in self.never_split:
            raise ValueError(f"`never_split` must be a list of words. Received: {never_split!r:.60}. Use ['a word'].")
        unknown = [word for word in self.never_split if word not in self.vocabulary]
        if unknown:
            raise ValueError(
                "Words in `never_split` must be in the vocabulary. "
                f"Received: {', '.join(map(repr, unknown[:10]))}. Add them with `tokenizer.with_tokens([...])`."
            )
        special = SPECIAL_TOKENS.values() if special_tokens_in_text else ()
        whole = [word for word in dict.fromkeys((*special, *self.never_split)) if word in self.vocabulary]
        self._whole_words = WholeWords(whole, [self.vocabulary.id_of(word) for word in whole])
        # UTF-8 takes at most 4 bytes a character; the cap in characters is held before.
        try:
            with tf.init_scope():
                self._wordpiece = tf_text.FastWordpieceTokenizer(
                    self.vocabulary.searchable_tokens(),
                    token_out_type=tf.int32,
                    max_bytes_per_word=4 * longest_word,
                    unknown_token="[UNK]",
                    no_pretokenization=False,
                )
        except RuntimeError as error:
            raise ValueError(
                "A vocabulary must hold word pieces. Received: special tokens only. Train one first."
            ) from error

    def __call__(self, texts):
        texts = string_tensor(texts)
        if texts.shape.rank == 0:
            return self(texts[tf.newaxis]).flat_values
        if not self._whole_words:
            return self._wordpiece.tokenize(self._normalize(texts))
        parts, _, whole_ids = self._whole_words.cut(texts)
        ids = self._wordpiece.tokenize(self._normalize(_without_whole(parts.flat_values, whole_ids)))
        whole_ids = tf.gather(whole_ids, ids.value_rowids())
        ids = ids.with_values(tf.where(whole_ids < 0, ids.values, whole_ids))
        return parts.with_values(ids).merge_dims(1, 2)

    def tokenize_with_offsets(self, texts, unit: str = "character"):
        """Cuts texts into word pieces and tells where each stands in its text.

        Args:
            texts: str, list of str, NumPy array or string tensor `()` or `(B,)`. Bytes that are no UTF-8 are
                dropped before they are counted.
            unit: str, default "character": offsets in characters, as Python counts them; "byte": in UTF-8 bytes.

        Returns:
            Three ragged int32 tensors `(B, (T))`, or three tensors `(T,)` for one string: ids, starts, ends. A piece
            is `text[start:end]`, with the accents that were taken off it.

        Raises:
            ValueError: another unit, or texts that are not strings.

        Example:
        >>> tokenizer = keras_bert.BertTokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "play", "##ing", "!"])
        >>> [x.numpy().tolist() for x in tokenizer.tokenize_with_offsets("Playing!")]
        [[4, 5, 6], [0, 4, 7], [4, 7, 8]]
        """
        if unit not in ("character", "byte"):
            raise ValueError(f"`unit` must be 'character' or 'byte'. Received: {unit!r}.")
        texts = string_tensor(texts)
        if texts.shape.rank == 0:
            return tuple(x.flat_values for x in self.tokenize_with_offsets(texts[tf.newaxis], unit))
        texts = tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8", errors="ignore")
        parts, part_starts, whole_ids = self._whole_words.cut(texts)
        cut_texts = _without_whole(parts.flat_values, whole_ids)
        ids, starts, ends = self._wordpiece.tokenize_with_offsets(self._normalize(cut_texts))
        part = ids.value_rowids()
        starts, ends = source_offsets(
            cut_texts, part, starts.values, ends.values, self.lowercase, self._strips_accents
        )
        whole_ids, shift = tf.gather(whole_ids, part), tf.gather(part_starts, part)
        ends = tf.where(whole_ids < 0, ends, tf.gather(tf.strings.length(parts.flat_values), part))
        starts, ends = starts + shift, ends + shift
        ids = parts.with_values(ids.with_values(tf.where(whole_ids < 0, ids.values, whole_ids))).merge_dims(1, 2)
        if unit == "character":
            starts, ends = character_offsets(texts, ids.value_rowids(), starts, ends)
        return ids, ids.with_values(starts), ids.with_values(ends)

    def detokenize(self, ids):
        """Joins ids back into texts: pieces into words, no space between Chinese characters, no special tokens.

        Args:
            ids: int tensor or list `(T,)` or `(B, T)`, or a ragged one.

        Returns:
            String tensor `()` or `(B,)`. Case and accents that the tokenizer took off stay off.

        Example:
        >>> tokenizer = keras_bert.BertTokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "play", "##ing", "!"])
        >>> tokenizer.detokenize(tokenizer(["Playing!"])).numpy()
        array([b'playing !'], dtype=object)
        """
        return detokenize(ids, self.vocabulary)

    def with_tokens(self, tokens: Sequence[str]) -> "BertTokenizer":
        """Adds tokens, such as entity markers or words of a trade, that are found in texts and stay whole.

        Args:
            tokens: sequence of str.

        Returns:
            A new `BertTokenizer`. A model that uses it needs `BertEncoder.with_vocabulary_size`.

        Example:
        >>> tokenizer = keras_bert.BertTokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "play", "##ing", "!"])
        >>> tokenizer.with_tokens(["[E1]", "[/E1]"])(["[E1]Play[/E1]"]).to_list()
        [[7, 4, 8]]
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
        return normalize(texts, self.lowercase, self._strips_accents, self.longest_word)


def _without_whole(parts, whole_ids):
    """Puts a sign of punctuation, which is always one piece, in the place of the words that stay whole."""
    return tf.where(whole_ids < 0, parts, ".")
