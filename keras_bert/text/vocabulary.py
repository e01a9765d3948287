"""The ordered list of word pieces behind the token ids."""

import os
from collections.abc import Sequence


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
        """Lists the pieces with each repeat but the last made unfindable, in id order: TF-Text wants unique ones."""
        return [
            # No cleaned text can hold this control character.
            token if token and self._ids[token] == place else f"\x01{place}"
            for place, token in enumerate(self.tokens)
        ]

    def with_tokens(self, tokens: Sequence[str]) -> "Vocabulary":
        """Appends tokens that are not there yet.

        Args:
            tokens: sequence of str.

        Returns:
            A new `Vocabulary`; the ids of the old pieces stay.
        """
        return Vocabulary(self.tokens + tuple(token for token in dict.fromkeys(tokens) if token not in self._ids))


def _read(path):
    try:
        with open(path, "rb") as file:
            text = file.read().decode("utf-8")
    except FileNotFoundError:
        raise ValueError(f"A vocabulary file must exist. Received: '{os.fspath(path)}'.") from None
    except UnicodeDecodeError as error:
        raise ValueError(
            f"A vocabulary file must be UTF-8. Received: '{os.fspath(path)}', bad byte at {error.start}. Convert it."
        ) from None
    # Split on "\n" alone: Google's Chinese vocabulary holds U+2028, which `splitlines` takes for a line's end.
    lines = [line.removesuffix("\r") for line in text.removeprefix("\ufeff").split("\n")]
    return lines[:-1] if lines[-1] == "" else lines
