"""What a masked language model guesses, for a person to look at."""

import itertools
from collections.abc import Iterator, Sequence

import numpy as np

_TEXT = 24  # tokens that are shown on each side


def lines(text: str, masks: Sequence[list[dict]]) -> Iterator[str]:
    """Yields a text and, for each of its masks, the guesses with their probabilities.

    Args:
        text: str.
        masks: sequence of lists of dicts, as `BertMaskedLM.predict` gives them for the text.

    Example:
    >>> list(lines("a [MASK]", [[{"token": "king", "score": 0.25, "filled": "a king"}]]))
    ['a [MASK]', '    king 25 %']
    """
    yield text
    for number, fillings in enumerate(masks, start=1):
        guesses = ", ".join(f"{filling['token']} {100 * filling['score']:.0f} %" for filling in fillings)
        yield f"    {number}. {guesses}" if len(masks) > 1 else f"    {guesses}"


def hidden_words(tokenizer, batches, count: int) -> Iterator[tuple[str, str]]:
    """Hides one word of held-out text at a time.

    Args:
        tokenizer: `BertTokenizer`.
        batches: dataset of (inputs, labels, weights) for `BertPretrainer`, a row each.
        count: int. How many.

    Yields:
        The text with [MASK], and what stood there.
    """
    tokens = tokenizer.vocabulary.tokens
    for inputs, labels, weights in itertools.islice(batches.as_numpy_iterator(), count):
        ids = inputs["token_ids"][0].copy()
        real = weights["masked_lm_logits"][0] > 0
        positions, originals = inputs["mask_positions"][0][real], labels["masked_lm_logits"][0][real]
        ids[positions] = originals
        # A whole word, if there is one: it says more than a piece.
        following = ids[np.minimum(positions + 1, len(ids) - 1)]
        words = [
            place
            for place, (token, after) in enumerate(zip(originals, following, strict=True))
            if tokens[token].isalpha() and not tokens[after].startswith("##")
        ]
        chosen = words[len(words) // 2] if words else 0
        position, original = positions[chosen], originals[chosen]
        ids[position] = tokenizer.vocabulary.mask_id
        example = np.flatnonzero(inputs["padding_mask"][0] == inputs["padding_mask"][0][position])
        low, high = max(position - _TEXT, example[0] + 1), min(position + _TEXT, example[-1])
        yield tokenizer.detokenize([ids[low:high].tolist()]).numpy()[0].decode(), tokens[original]
