"""Words are changed as a plain loop changes them, as often as asked for, anew in every epoch, and with their labels."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

import keras_bert
from keras_bert.data.augmentation import augment_tokens

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmnopqr", "##x", "##y", ".", *"中国好天"]
MASK = VOCABULARY.index("[MASK]")
BEGINS = np.array([not token.startswith("##") for token in VOCABULARY])
TEXTS = ["a bx cxyy d.", "e", "", "中国好天", "f gx", "好天a中b", "h i j k l m n o p q r a b c d e", " \t", "é \0 k."]


def make_preprocessor(sequence_length=24):
    return keras_bert.BertPreprocessor(keras_bert.BertTokenizer(VOCABULARY), sequence_length=sequence_length)


def changed(token_ids, seed, rate):
    return augment_tokens(token_ids, seed, begins_word=BEGINS, mask_id=MASK, rate=rate)


def words_of(row):
    """Cuts a list of token ids into words."""
    words = []
    for place, token in enumerate(row):
        if place == 0 or BEGINS[token]:
            words.append([])
        words[-1].append(token)
    return words


def loop(rows, seed, rate):
    """What should come of rows of token ids, word by word."""
    texts = [words_of(row) for row in rows]
    draws = zip(*tf.random.stateless_uniform((2, sum(map(len, texts))), seed).numpy(), strict=True)
    results = []
    for words in texts:
        drawn = list(itertools.islice(draws, len(words)))
        changes = [("hide", "leave out", "move")[int(kind * 3)] if draw < rate else None for draw, kind in drawn]
        if all(change in ("hide", "leave out") for change in changes):
            changes = [None] * len(words)
        behind, result = None, []
        for place, (word, change) in enumerate(zip(words, changes, strict=True)):
            shown = {"hide": [MASK] * len(word), "leave out": []}.get(change, word)
            moves = change == "move" and place < len(words) - 1
            if not moves:
                result += shown
            if behind is not None:
                result += behind
                behind = None
            if moves:
                behind = shown
        results.append(result)
    return results


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.95])
def test_words_are_changed_as_by_a_plain_loop(rate):
    token_ids = make_preprocessor().tokenize(TEXTS)[0]
    differ = 0
    for seed in range(40):
        found = changed(token_ids, [seed, 3], rate).to_list()
        assert found == loop(token_ids.to_list(), [seed, 3], rate), seed
        differ += found != token_ids.to_list()
    assert differ > 20


@pytest.mark.parametrize("text", ["ax b cyx d e fx g h i j k l m n o p q r", "中国好天" * 4])
def test_each_change_is_as_frequent_as_asked_for(text):
    rows, rate = 3000, 0.15
    token_ids = make_preprocessor().tokenize([text] * rows)[0]
    pieces = np.array([len(word) for word in words_of(token_ids[0].numpy().tolist())])
    found, share = changed(token_ids, [5, 8], rate).to_list(), rate / 3
    counts = {
        "hidden": sum(row.count(MASK) for row in found),
        "left out": sum(pieces.sum() - len(row) for row in found),
    }
    for name, count in counts.items():
        error = np.sqrt(rows * np.sum(pieces**2) * share * (1 - share))  # all the pieces of a word, or none
        assert abs(count - rows * pieces.sum() * share) < 3 * error, name


def test_words_move_as_often_as_asked_for():
    rows, rate, n = 6000, 0.15, 16
    token_ids = make_preprocessor().tokenize(["a b c d e f g h i j k l m n o p"] * rows)[0]
    original = token_ids[0].numpy().tolist()
    moves = 0
    for row in changed(token_ids, [5, 9], rate).to_list():
        if len(row) == n and MASK not in row:  # nothing but moves
            moves += sum(after < before for before, after in itertools.pairwise(row))
            assert sorted(row) == original
    # Such rows are a share of (1 - 2 rate / 3)^n. There a word moves with probability p, the last never; a run of words
    # that move one behind the other makes one descent, at its last word.
    p = (rate / 3) / (1 - 2 * rate / 3)
    kept = rows * (1 - 2 * rate / 3) ** n
    expected = kept * (n - 2) * p * (1 - p) + kept * p
    assert abs(moves - expected) < 3 * np.sqrt(expected)


def test_a_text_keeps_a_word():
    texts = ["a", "", "bxy", "中", ".", "a b"]
    token_ids = make_preprocessor().tokenize(texts)[0]
    for seed in range(50):
        found = changed(token_ids, [seed, 0], 0.99).to_list()
        assert found[:5] == token_ids.to_list()[:5]
        assert set(found[5]) - {MASK}


def test_no_texts_stay_none():
    for texts in ([], [""], ["", " "]):
        token_ids = make_preprocessor().tokenize(texts)[0]
        assert changed(token_ids, [0, 0], 0.5).to_list() == token_ids.to_list()


# ---- Batches

LABELS = np.arange(len(TEXTS))


def epochs_of(batches, rows, batch_size, epochs=2):
    """The labels and inputs of some epochs."""
    steps = -(-rows // batch_size)
    found = list(batches.take(steps * epochs).as_numpy_iterator())
    return [found[i * steps : (i + 1) * steps] for i in range(epochs)]


def rows_of(epoch):
    """Token ids without padding by label, of an epoch."""
    found = {}
    for inputs, labels in epoch:
        for ids, mask, label in zip(inputs["token_ids"], inputs["padding_mask"], labels, strict=True):
            assert int(label) not in found
            found[int(label)] = ids[mask > 0].tolist()
    return found


def test_every_epoch_holds_every_text_once_in_another_order():
    batches = keras_bert.data.augmented_batches(make_preprocessor(), TEXTS, LABELS, rate=0.3, batch_size=4, seed=1)
    assert batches.cardinality() == tf.data.INFINITE_CARDINALITY
    first, second = epochs_of(batches, len(TEXTS), 4)
    assert [len(labels) for _, labels in first] == [4, 4, 1]
    assert set(rows_of(first)) == set(rows_of(second)) == set(LABELS)
    assert list(rows_of(first)) != list(rows_of(second))


def test_the_same_seed_gives_the_same_batches_and_each_epoch_other_texts():
    def run(seed):
        batches = keras_bert.data.augmented_batches(make_preprocessor(), TEXTS, LABELS, 0.3, 4, seed)
        return [rows_of(epoch) for epoch in epochs_of(batches, len(TEXTS), 4)]

    first, second = run(7)
    assert [first, second] == run(7)
    assert first[6] != second[6] != run(8)[0][6]


def test_labels_stay_with_their_texts():
    words = "abcdefghijklmnopqr"
    texts, labels = [" ".join(word * 9) for word in words], np.eye(len(words), dtype="float32")
    batches = keras_bert.data.augmented_batches(make_preprocessor(), texts, labels, 0.4, 5)
    for inputs, found in itertools.chain(*epochs_of(batches, len(words), 5)):
        for ids, label in zip(inputs["token_ids"], found, strict=True):
            assert set(ids.tolist()) - {0, 2, 3, MASK} == {VOCABULARY.index(words[label.argmax()])}


def test_what_is_not_drawn_is_what_the_preprocessor_gives():
    preprocessor = make_preprocessor(9)
    others = TEXTS[::-1]
    batches = keras_bert.data.augmented_batches(preprocessor, (TEXTS, others), LABELS, 1e-9, len(TEXTS))
    inputs, labels = next(batches.as_numpy_iterator())
    expected = preprocessor((TEXTS, others))
    assert inputs.keys() == expected.keys()
    for name, tensor in inputs.items():
        np.testing.assert_array_equal(tensor, expected[name].numpy()[labels])


def test_the_sides_of_pairs_are_changed_each_for_itself():
    side = "a b c d e f g h i j"
    batches = keras_bert.data.augmented_batches(make_preprocessor(), ([side] * 40, [side] * 40), np.arange(40), 0.3, 40)
    inputs, _ = next(batches.as_numpy_iterator())
    halves = [
        [ids[(segments == side) & (ids > 4)].tolist() for side in (0, 1)]
        for ids, segments in zip(inputs["token_ids"], inputs["segment_ids"], strict=True)
    ]
    assert sum(first != second for first, second in halves) > 30


def test_odd_bytes_and_long_texts_are_trained_on():
    texts = [b"\xff\xfe a b", "a " * 5000, "\0", "\ud800", "é" * 300]
    batches = keras_bert.data.augmented_batches(make_preprocessor(), texts, np.arange(5), 0.5, 5)
    inputs, _ = next(batches.as_numpy_iterator())
    assert inputs["token_ids"].shape == (5, 24)


@pytest.mark.parametrize("rate", [0, 1, -0.1, float("nan")])
def test_a_rate_is_a_share(rate):
    with pytest.raises(ValueError, match=f"`rate` must be between 0 and 1. Received: rate={rate}. Use 0.1"):
        keras_bert.data.augmented_batches(make_preprocessor(), TEXTS, LABELS, rate)


@pytest.mark.parametrize(("texts", "labels"), [(TEXTS, [1, 2]), ([], []), (["a"], 1)])
def test_each_text_needs_a_label(texts, labels):
    with pytest.raises(ValueError, match="a label for each of at least one text. Received: [0-9]+ texts and labels of"):
        keras_bert.data.augmented_batches(make_preprocessor(), texts, labels)


def test_what_cannot_be_changed_is_named():
    with pytest.raises(ValueError, match="changed in texts. Received: ready inputs"):
        keras_bert.data.augmented_batches(make_preprocessor(), dict(make_preprocessor()(["a"])), [1])
    with pytest.raises(ValueError, match="`batch_size` must be a whole number of at least 1. Received: 0"):
        keras_bert.data.augmented_batches(make_preprocessor(), ["a"], [1], batch_size=0)
    tokenizer = keras_bert.BertTokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a"])
    with pytest.raises(ValueError, match="Masking needs .MASK. in the vocabulary"):
        keras_bert.data.augmented_batches(keras_bert.BertPreprocessor(tokenizer), ["a"], [1])
