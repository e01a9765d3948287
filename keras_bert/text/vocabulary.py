"""The ordered list of word pieces behind the token ids."""

import os
import pathlib
from collections.abc import Sequence

from keras_bert.presets.files import read_lines


class Vocabulary:
    """An ordered list of word pieces; a piece's place is its id.

    A piece that stands twice keeps both rows of the embedding table, and text gets the later id, as in the original
    BERT: released vocabularies of the community hold repeats.

    Args:
        tokens: sequence of str, or the path of a `vocab.txt` (UTF-8, a piece a line).

    Raises:
        ValueError: a special token is missing, a piece is not a string, or the file is empty.

    Example:
    >>> vocabulary = keras_bert.Vocabulary(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "play", "##ing"])
    >>> vocabulary.id_of("##ing"), vocabulary.cls_id, len(vocabulary)
    (6, 2, 7)
    """

    def __init__(self, tokens: Sequence[str] | str | os.PathLike):
        source = "a list"
        if isinstance(tokens, (str, os.PathLike)):
            source = f"'{os.fspath(tokens)}'"
            tokens = _read(tokens)
        self.tokens = tuple(tokens)
        for place, token in enumerate(self.tokens):
            if not isinstance(token, str):
                raise ValueError(f"A vocabulary must hold strings. Received: {token!r} at place {place} of {source}.")
        self._ids = {token: place for place, token in enumerate(self.tokens)}
        missing = [token for token in ("[PAD]", "[UNK]", "[CLS]", "[SEP]") if token not in self._ids]
        if missing:
            raise ValueError(
                "A BERT vocabulary must hold [PAD], [UNK], [CLS] and [SEP]. "
                f"Received: {len(self.tokens)} pieces from {source}, without {', '.join(missing)}. "
                "Check that this is the vocab.txt of a BERT model, or add them to it."
            )

    def __len__(self) -> int:
        return len(self.tokens)

    def __contains__(self, token: str) -> bool:
        return token in self._ids

    def __eq__(self, other) -> bool:
        return isinstance(other, Vocabulary) and self.tokens == other.tokens

    __hash__ = None

    def id_of(self, token: str) -> int:
        """Gives a piece's id, [UNK]'s for one that is not in the vocabulary.

        Args:
            token: str.

        Returns:
            int.
        """
        return self._ids.get(token, self.unknown_id)

    @property
    def pad_id(self) -> int:
        return self._ids["[PAD]"]

    @property
    def unknown_id(self) -> int:
        return self._ids["[UNK]"]

    @property
    def cls_id(self) -> int:
        return self._ids["[CLS]"]

    @property
    def sep_id(self) -> int:
        return self._ids["[SEP]"]

    @property
    def mask_id(self) -> int:
        """The id of [MASK]; a vocabulary without it serves everything but masked language modelling."""
        if "[MASK]" not in self._ids:
            raise ValueError("Masking needs [MASK] in the vocabulary. Received: a vocabulary without it. Add it.")
        return self._ids["[MASK]"]

    def searchable_tokens(self) -> list[str]:
        """Lists the pieces in id order, those that TF-Text cannot take or that no text holds made unfindable.

        Returns:
            List of unique str.
        """

        def is_found(place, token):
            # A space would be searched for across the end of a word. TF-Text takes 256 bytes, and unique pieces.
            is_word = token and not {"\0", "\x01", " "} & set(token) and len(token.encode()) <= 256
            return is_word and self._ids[token] == place

        # No cleaned text can hold this control character.
        return [token if is_found(i, token) else f"\x01{i}" for i, token in enumerate(self.tokens)]

    def with_tokens(self, tokens: Sequence[str]) -> "Vocabulary":
        """Appends tokens that are not there yet.

        Args:
            tokens: sequence of str.

        Returns:
            A new `Vocabulary`; the ids of the old pieces stay.

        Raises:
            ValueError: one str in the place of a list, or an empty token.
        """
        if isinstance(tokens, str) or "" in tokens:
            raise ValueError(f"`tokens` must be a list of tokens. Received: {tokens!r:.60}. Use ['[E1]'], for example.")
        return Vocabulary(self.tokens + tuple(token for token in dict.fromkeys(tokens) if token not in self._ids))


def _read(path):
    path = pathlib.Path(path)
    if not path.is_file():
        raise ValueError(f"A vocabulary file must exist. Received: '{path}'. Pass the path of a vocab.txt.")
    lines = read_lines(path)
    return [line.removeprefix("\ufeff") for line in lines[:1]] + lines[1:]  # a mark that editors on Windows leave
