"""What a masked language model guesses, for a person to look at."""

import keras
import numpy as np

_TEXT = 24  # tokens that are shown on each side
_GUESSES = 5


def examples(pretrainer, tokenizer, batches, count: int):
    """Hides one word of held-out text at a time and asks the model for it.

    Args:
        pretrainer: `BertPretrainer`.
        tokenizer: `BertTokenizer`.
        batches: dataset of (inputs, labels, weights), a row each.
        count: int. Lines.

    Yields:
        str: the text with [MASK], the guesses with their probabilities, and what stood there.
    """
    vocabulary = tokenizer.vocabulary
    for inputs, labels, weights in batches.take(count).as_numpy_iterator():
        ids = inputs["token_ids"][0].copy()
        real = weights["masked_lm_logits"][0] > 0
        positions, originals = inputs["mask_positions"][0][real], labels["masked_lm_logits"][0][real]
        ids[positions] = originals
        # A whole word, if there is one: it says more than a piece.
        words = [i for i, token in enumerate(originals) if vocabulary.tokens[token].isalpha()]
        chosen = words[len(words) // 2] if words else 0
        position, original = positions[chosen], originals[chosen]
        ids[position] = vocabulary.mask_id
        row = {name: inputs[name][:1] for name in ("segment_ids", "padding_mask")} | {"token_ids": ids[None]}
        row |= {"mask_positions": np.array([[position]]), "cls_positions": np.array([[0]])}
        logits = pretrainer(row, training=False)["masked_lm_logits"][0, 0]
        probabilities = keras.ops.convert_to_numpy(keras.ops.softmax(keras.ops.cast(logits, "float32")))
        best = np.argsort(-probabilities)[:_GUESSES]
        example = np.flatnonzero(inputs["padding_mask"][0] == inputs["padding_mask"][0][position])
        low, high = max(position - _TEXT, example[0] + 1), min(position + _TEXT, example[-1])
        before, after = (
            tokenizer.detokenize([part.tolist()]).numpy()[0].decode() if len(part) else ""
            for part in (ids[low:position], ids[position + 1 : high])
        )
        guesses = ", ".join(f"{vocabulary.tokens[i]} {100 * probabilities[i]:.0f} %" for i in best)
        yield f"{before} [MASK] {after}\n    {guesses} (it was: {vocabulary.tokens[original]})"
