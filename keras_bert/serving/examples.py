"""What an export is asked when it is written and when a server warms up."""

from collections.abc import Sequence

import tensorflow as tf

# As many of each, in English and in Chinese, and one that is empty.
EXAMPLES = {
    "text": ("The film was better than I had hoped.", "这部电影比我想象的好。", ""),
    "text_pair": ("I liked it.", "我喜欢。", ""),
    "question": ("Who wrote the letter?", "谁写了信？", ""),
    "context": ("Mary wrote the letter and left.", "小明写了信。", ""),
    "choices": (("Mary", "Peter"), ("小明", "小红"), ("", "")),
}
MASKED_EXAMPLES = {"text": ("Paris is the [MASK] of France.", "巴黎是法国的首[MASK]。", "")}


def warm_up_requests(specs: Sequence[tf.TensorSpec], examples: dict, longest: int) -> list[dict]:
    """Makes requests of several lengths and sizes, so that what depends on either is done before the first client asks.

    Args:
        specs: sequence of `tf.TensorSpec`. The inputs: string tensors `(B,)`, or `(B, N)` of choices.
        examples: dict of input name to texts, of which the first is lengthened.
        longest: int. Tokens of the longest row.

    Returns:
        List of dicts of input name to list of texts: one text of each length up to 64 words, as oneDNN prepares itself
        for each anew, one of a whole row, then batches of 8 and of 32.
    """
    sizes = [*((1, words) for words in (*range(1, 65), longest)), (8, 32), (32, 32)]
    return [
        {spec.name: _lengthened(examples[spec.name][0], words // len(specs), rows) for spec in specs}
        for rows, words in sizes
    ]


def _lengthened(example, words, rows):
    tail = " a" * words
    return [example + tail if isinstance(example, str) else [choice + tail for choice in example]] * rows
