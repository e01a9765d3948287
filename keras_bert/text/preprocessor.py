"""From texts or pairs of texts to the encoder's inputs."""

import os

import keras
import numpy as np
import tensorflow as tf

from keras_bert.presets.read import read_preset
from keras_bert.presets.write import write_preset
from keras_bert.text.packing import TRUNCATIONS, pack_segments
from keras_bert.text.strings import string_tensor
from keras_bert.text.tokenizer import BertTokenizer


@keras.saving.register_keras_serializable("keras_bert")
class BertPreprocessor:
    """Turns texts, or pairs of texts, into what `BertEncoder` takes: token ids, segment ids and padding mask.

    Args:
        tokenizer: `BertTokenizer`.
        sequence_length: int, default 512. Longest row, special tokens included; what does not fit is cut.
        truncation: str, default "longest_first". What of a pair is cut: or "only_first", "only_second".
        padding: str, default "longest": rows as wide as the batch's longest; "fixed": `sequence_length` wide.

    Call arguments:
        inputs: texts `(B,)` (list of str, NumPy array, string tensor), a tuple `(a, b)` of two such, or a list of
            pairs.

    Returns:
        dict of int32 tensors `(B, T)`: `token_ids`, `segment_ids`, `padding_mask`.

    Raises:
        ValueError: for settings or texts that cannot be used.

    Example:
    >>> tokenizer = keras_bert.BertTokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "question", "context"])
    >>> preprocessor = keras_bert.BertPreprocessor(tokenizer, sequence_length=128)
    >>> preprocessor((["a question"], ["a context"]))["segment_ids"].numpy()
    array([[0, 0, 0, 0, 1, 1, 1]], dtype=int32)
    """

    def __init__(
        self,
        tokenizer: BertTokenizer,
        sequence_length: int = 512,
        truncation: str = "longest_first",
        padding: str = "longest",
    ):
        if not isinstance(sequence_length, int) or sequence_length < 3:
            raise ValueError(
                "`sequence_length` must be a whole number, at least 3: [CLS], [SEP] and a token. "
                f"Received: sequence_length={sequence_length!r}. Use 128, for example."
            )
        if truncation not in TRUNCATIONS:
            raise ValueError(f"`truncation` must be one of {', '.join(TRUNCATIONS)}. Received: {truncation!r}.")
        if padding not in ("longest", "fixed"):
            raise ValueError(f"`padding` must be 'longest' or 'fixed'. Received: {padding!r}.")
        self.tokenizer = tokenizer
        self.sequence_length = sequence_length
        self.truncation = truncation
        self.padding = padding

    def __call__(self, inputs) -> dict:
        return self.pack(self.tokenize(inputs))

    def tokenize(self, inputs) -> tuple:
        """Cuts texts into word pieces, without special tokens.

        Args:
            inputs: as in the call.

        Returns:
            Tuple of one or two ragged int32 tensors `(B, (T))`.
        """
        return tuple(self.tokenizer(segment) for segment in as_segments(inputs))

    def lengths(self, segments: tuple, padding: str | None = None):
        """Counts the tokens of each row.

        Args:
            segments: as `tokenize` gives them.
            padding: str, optional. In the place of the preprocessor's own.

        Returns:
            Int array `(B,)`.
        """
        lengths = sum(segment.row_lengths().numpy() for segment in segments) + 1 + len(segments)
        is_fixed = (padding or self.padding) == "fixed"
        return np.full_like(lengths, self.sequence_length) if is_fixed else np.minimum(lengths, self.sequence_length)

    def pack(self, segments: tuple, padding: str | None = None, truncation: str | None = None) -> dict:
        """Lays word pieces out in rows, with special tokens.

        Args:
            segments: tuple of one or two ragged int tensors `(B, (T))`.
            padding: str, optional. In the place of the preprocessor's own.
            truncation: str, optional. The same.

        Returns:
            dict of int32 tensors `(B, T)`.
        """
        vocabulary = self.tokenizer.vocabulary
        return pack_segments(
            segments,
            cls_id=vocabulary.cls_id,
            sep_id=vocabulary.sep_id,
            pad_id=vocabulary.pad_id,
            sequence_length=self.sequence_length,
            truncation=truncation or self.truncation,
            padding=padding or self.padding,
        )

    @classmethod
    def from_preset(cls, preset: str | os.PathLike, **overrides) -> "BertPreprocessor":
        """Reads a preprocessor from a preset.

        Args:
            preset: str or path. A directory, `hf://owner/repo`, `kaggle://...` or a KerasHub name.
            **overrides: arguments of `BertPreprocessor` to use in the place of the preset's.

        Returns:
            `BertPreprocessor`.

        Raises:
            ValueError: no such preset, it has no vocabulary, or rows would be longer than its position table.
        """
        config, vocabulary, _ = read_preset(preset, load_weights=False)
        return cls.from_parts(config, vocabulary, **overrides)

    @classmethod
    def from_parts(cls, config: dict, vocabulary: list[str] | None, **overrides) -> "BertPreprocessor":
        """Builds a preprocessor from what a reader of presets gave.

        Args:
            config: dict.
            vocabulary: list of str, or None.
            **overrides: arguments of `BertPreprocessor`.

        Returns:
            `BertPreprocessor`.

        Raises:
            ValueError: no vocabulary, or rows would be longer than the position table.
        """
        if vocabulary is None:
            raise ValueError("A preprocessor needs a vocabulary. Received: a preset without vocab.txt. Add it.")
        longest = config.get("encoder", {}).get("max_sequence_length")
        settings = {**({"sequence_length": min(512, longest)} if longest else {}), **config.get("preprocessor", {})}
        settings = {**{name: value for name, value in settings.items() if value is not None}, **overrides}
        if "tokenizer" not in settings:
            settings["tokenizer"] = BertTokenizer(vocabulary, **config["tokenizer"])
        preprocessor = cls(**settings)
        if longest:
            check_fits(preprocessor, **config["encoder"])
        return preprocessor

    def save_to_preset(self, path: str | os.PathLike) -> None:
        """Writes vocabulary and settings as a preset, whole or not at all.

        Args:
            path: str or path of the directory.
        """
        config = {"tokenizer": self.tokenizer.preset_config(), "preprocessor": self.preset_config()}
        write_preset(path, config, list(self.tokenizer.vocabulary.tokens))

    def preset_config(self) -> dict:
        """Gives the arguments that a preset keeps: all but the tokenizer.

        Returns:
            dict.
        """
        return {
            "sequence_length": self.sequence_length,
            "truncation": self.truncation,
            "padding": self.padding,
        }

    def get_config(self) -> dict:
        return {"tokenizer": keras.saving.serialize_keras_object(self.tokenizer), **self.preset_config()}

    @classmethod
    def from_config(cls, config):
        return cls(**{**config, "tokenizer": keras.saving.deserialize_keras_object(config["tokenizer"])})


def check_fits(preprocessor: BertPreprocessor, max_sequence_length: int, vocabulary_size: int, **_) -> None:
    """Refuses rows or ids that are beyond an encoder's tables.

    Args:
        preprocessor: `BertPreprocessor`.
        max_sequence_length: int.
        vocabulary_size: int.
        **_: the encoder's other arguments.

    Raises:
        ValueError: they are.
    """
    if preprocessor.sequence_length > max_sequence_length:
        raise ValueError(
            "`sequence_length` must not be beyond the encoder's position table. "
            f"Received: sequence_length={preprocessor.sequence_length}, max_sequence_length={max_sequence_length}. "
            f"Use sequence_length={max_sequence_length} or less."
        )
    tokens = len(preprocessor.tokenizer.vocabulary)
    if tokens > vocabulary_size:
        raise ValueError(
            "The encoder's table must have a row for every token. "
            f"Received: {tokens} tokens, vocabulary_size={vocabulary_size}. "
            f"Use encoder.with_vocabulary_size({tokens})."
        )


def as_segments(inputs) -> tuple:
    """Sorts out what a user passed for texts: one list, a tuple of two, or a list of pairs.

    Args:
        inputs: texts `(B,)`; a tuple `(a, b)`; or a list of pairs.

    Returns:
        Tuple of one or two string tensors `(B,)`; one text alone is a batch of one.

    Raises:
        ValueError: lists of different lengths, or elements that are not strings.
    """
    if isinstance(inputs, list) and inputs and isinstance(inputs[0], (tuple, list)):
        bad = next((i for i, pair in enumerate(inputs) if not isinstance(pair, (tuple, list)) or len(pair) != 2), None)
        if bad is not None:
            raise ValueError(f"Pairs must hold two texts. Received: {inputs[bad]!r:.60} at index {bad}.")
        inputs = tuple(map(list, zip(*inputs, strict=True)))
    if not isinstance(inputs, tuple):
        segments = (string_tensor(inputs),)
    elif len(inputs) in (1, 2):
        segments = tuple(string_tensor(part, f"texts[{i}]") for i, part in enumerate(inputs))
    else:
        raise ValueError(f"A tuple of texts must hold one or two lists, (a, b). Received: {len(inputs)}.")
    segments = tuple(segment[tf.newaxis] if segment.shape.rank == 0 else segment for segment in segments)
    if len(segments) == 2 and not segments[0].shape.is_compatible_with(segments[1].shape):
        raise ValueError(
            "Both sides of pairs must have as many texts. "
            f"Received: {segments[0].shape.num_elements()} and {segments[1].shape.num_elements()}."
        )
    return segments
