"""Where tokens of rows stand in texts: against a plain loop, with rows that are cut, pairs and padding."""

import numpy as np
import pytest

import keras_bert
from keras_bert.text.token_places import token_places

TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *"abcd", "##e", "\u4e2d"]
FIRST = ["a be \u4e2d c", "", "d", "a b c d a b c d a b c", "ae"]
SECOND = ["d", "a b", "", "be be be be", "a b c d a b c d a b c d"]


@pytest.mark.parametrize("truncation", ["longest_first", "only_first"])
@pytest.mark.parametrize("texts", [(FIRST,), (FIRST, SECOND)], ids=["single", "pairs"])
def test_places_equal_a_plain_loop(texts, truncation):
    tokenizer = keras_bert.BertTokenizer(TOKENS)
    preprocessor = keras_bert.BertPreprocessor(tokenizer, sequence_length=12, truncation=truncation)
    pieces = [tokenizer.tokenize_with_offsets(part) for part in texts]
    inputs = preprocessor(texts)
    places = token_places(inputs, [offsets for _, *offsets in pieces])
    assert (inputs["padding_mask"].numpy() == 0).any() and places.is_cut.any() and not places.is_cut.all()
    for row in range(len(FIRST)):
        ids = inputs["token_ids"][row].numpy()
        ends_at = np.flatnonzero(ids == 3)  # [SEP]
        expected, begin = [(-1, 0, 0)] * len(ids), 1
        for number, (part, end_at) in enumerate(zip(pieces, ends_at, strict=True)):
            of_text = zip(*(ragged[row].numpy().tolist() for ragged in part), strict=True)
            for column, (token_id, start, end) in zip(range(begin, end_at), of_text):
                assert token_id == ids[column]
                expected[column] = (number, start, end)
            begin = end_at + 1
        found = zip(places.segments[row], places.starts[row], places.ends[row], strict=True)
        assert [tuple(map(int, place)) for place in found] == expected
        assert places.is_cut[row] == (sum(len(part[0][row]) for part in pieces) > (ids > 3).sum())
