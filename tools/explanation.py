"""What page and pictures of tools/explain.py show."""

from typing import NamedTuple

import numpy as np


class Explanation(NamedTuple):
    """A model's answer to one text or pair, and why.

    Attributes:
        title: str. The answer that is explained.
        kind: str. "label", "value" or "answer".
        outputs: dict of str to float: probabilities of the labels or answers, or the value.
        names: tuple of str. What the texts are.
        attributions: tuple of one `Attribution`, or of two, of an answer's begin and end; of the same tokens.
        attention: list of float arrays `(N heads, T, T)`, one a layer.
        marked: tuple of two int. Where the answer stands in the last text; 0 and 0 for nowhere.
    """

    title: str
    kind: str
    outputs: dict
    names: tuple
    attributions: tuple
    attention: list
    marked: tuple = (0, 0)

    def words(self) -> list[dict]:
        """Lists the words: what `Attribution.words` gives, `values` of each attribution, and `value`, their sum."""
        lists = [attribution.words() for attribution in self.attributions]
        values = np.array([[word["value"] for word in words] for words in lists]).T
        return [
            {**word, "values": row.tolist(), "value": float(row.sum())}
            for word, row in zip(lists[0], values, strict=True)
        ]

    def gap_of(self, attribution) -> str:
        """Says how well the values of an attribution sum up."""
        difference = attribution.score - attribution.baseline_score
        share = abs(attribution.gap) / abs(difference) if difference else 0.0
        return f"gap {share:.2%} of it, {attribution.steps} steps"

    def notes(self) -> list[str]:
        """Says what a reader must know: what was cut, and what does not sum up."""
        notes = []
        if self.attributions[0].is_cut:
            count = len(self.attributions[0].tokens)
            notes.append(f"The text is longer than the model reads at once: {count} tokens of it are explained here.")
        if not all(part.is_complete for part in self.attributions):
            notes.append("The words do not add up to the difference of the scores, to 1 %: take them for rough.")
        return notes
