"""Batches from whatever users pass to `fit`: the same rows, labels and weights from every form of the same examples."""

import numpy as np
import pytest
import tensorflow as tf

from keras_bert.data.examples import example_epochs, split
from keras_bert.data.labels import class_weights, label_encoder
from tests.classifiers import INDICES, NAMES, TEXTS, make_preprocessor

LABELS = ["negative", "positive"]
WEIGHTS = [1.0, 0.5, 3.0, 2.0, 0.25, 1.0, 0.0]
OTHERS = ["no", "yes film", "a", "story", "is it", "the day", "long"]
PREPROCESSOR = make_preprocessor()
READY = {name: tensor.numpy() for name, tensor in PREPROCESSOR(TEXTS).items()}
READY_PAIRS = {name: tensor.numpy() for name, tensor in PREPROCESSOR((TEXTS, OTHERS)).items()}


def batched(*args, **kwargs):
    """The batches as arrays."""
    arguments = {
        "preprocessor": PREPROCESSOR,
        "encode_labels": label_encoder(LABELS, "single_label"),
        **kwargs,
    }
    return list(example_epochs(*args, **arguments)().as_numpy_iterator())


def joined(found, width=14):
    """The rows of all batches, as wide as in `READY`."""
    features = {
        name: np.concatenate([np.pad(x[name], [(0, 0), (0, width - x[name].shape[1])]) for x, _, _ in found])
        for name in READY
    }
    return (
        features,
        np.concatenate([y for _, y, _ in found]),
        np.concatenate([weights for _, _, weights in found]),
    )


def assert_rows(found, ready, labels=INDICES, weights=None):
    width = ready["token_ids"].shape[1]
    features, y, found_weights = joined(found, width)
    for name, array in ready.items():
        assert features[name].dtype == np.int32
        np.testing.assert_array_equal(features[name], array, err_msg=name)
    np.testing.assert_array_equal(y, labels)
    assert found_weights.dtype == np.float32
    np.testing.assert_array_equal(found_weights, np.ones(len(labels)) if weights is None else weights)


@pytest.mark.parametrize("texts", [TEXTS, READY], ids=["texts", "ready"])
def test_examples_become_rows(texts):
    found = batched(texts, NAMES, batch_size=3)
    assert [len(y) for _, y, _ in found] == [3, 3, 1]
    assert_rows(found, READY)


def test_pairs_become_rows_of_two_segments():
    assert_rows(batched((TEXTS, OTHERS), INDICES), READY_PAIRS)


def from_generator(*examples):
    signature = tuple(
        tf.TensorSpec((), tf.as_dtype(type(value) if not isinstance(value, str) else "string"))
        for value in examples[0]
    )
    return tf.data.Dataset.from_generator(lambda: iter(examples), output_signature=signature)


SLICES = tf.data.Dataset.from_tensor_slices
DATASETS = {
    "examples": (SLICES((TEXTS, NAMES)), READY, None),
    "batches": (SLICES((TEXTS, NAMES)).batch(3), READY, None),
    "weighted": (SLICES((TEXTS, INDICES, WEIGHTS)), READY, WEIGHTS),
    "weighted batches": (SLICES((TEXTS, INDICES, WEIGHTS)).batch(3), READY, WEIGHTS),
    "one-hot": (SLICES((TEXTS, np.eye(2)[INDICES])), READY, None),
    "a generator": (from_generator(*zip(TEXTS, NAMES, WEIGHTS, strict=True)), READY, WEIGHTS),
    "of unknown length": (SLICES((TEXTS, NAMES)).filter(lambda text, label: True), READY, None),
    "pairs": (SLICES(((TEXTS, OTHERS), NAMES)), READY_PAIRS, None),
    "batches of pairs": (SLICES(((TEXTS, OTHERS), NAMES, WEIGHTS)).batch(3), READY_PAIRS, WEIGHTS),
    "ready": (SLICES((READY, INDICES)), READY, None),
    "batches of ready": (SLICES((READY, NAMES, WEIGHTS)).batch(3), READY, WEIGHTS),
    "wider integers": (
        SLICES(({name: array.astype("int64") for name, array in READY.items()}, INDICES)),
        READY,
        None,
    ),
}


@pytest.mark.parametrize("form", DATASETS)
def test_datasets_in_all_their_forms(form):
    dataset, ready, weights = DATASETS[form]
    found = batched(dataset, batch_size=3)
    assert [len(y) for _, y, _ in found] == [3, 3, 1]
    assert_rows(found, ready, weights=weights)


def test_batches_are_as_wide_as_their_longest_text():
    widths = [x["token_ids"].shape[1] for x, _, _ in batched(TEXTS, NAMES, batch_size=2)]
    assert widths == [5, 12, 3, 4]  # [CLS] and [SEP] with 3, 10, 1 and 2 pieces
    fixed = [x["token_ids"].shape[1] for x, _, _ in batched(TEXTS, NAMES, batch_size=2, padding="fixed")]
    assert fixed == [14] * 4


def test_sample_weights_and_class_weights_multiply():
    found = batched(
        TEXTS, NAMES, WEIGHTS, class_weight=class_weights({"positive": 4.0}, LABELS, "single_label")
    )
    np.testing.assert_array_equal(joined(found)[2], [4.0, 0.5, 12.0, 2.0, 0.25, 1.0, 0.0])


def test_class_weights_of_one_hot_labels():
    table = class_weights({"positive": 4.0}, LABELS, "single_label")
    for keep_rows in (False, True):
        encode = label_encoder(LABELS, "single_label", keep_rows=keep_rows)
        found = batched(TEXTS, np.eye(2)[INDICES], class_weight=table, encode_labels=encode)
        np.testing.assert_array_equal(joined(found)[2], [4, 1, 4, 1, 1, 1, 4])


def test_batches_are_filled_up_for_replicas_with_rows_that_weigh_nothing():
    found = batched(TEXTS, NAMES, batch_size=4, rows_multiple=3)
    assert [len(y) for _, y, _ in found] == [6, 3]
    np.testing.assert_array_equal(found[0][0]["padding_mask"].any(axis=1), [1, 1, 1, 1, 0, 0])
    np.testing.assert_array_equal(joined(found)[2], [1, 1, 1, 1, 0, 0, 1, 1, 1])


def test_shuffling_gives_every_example_once_and_another_order_each_epoch():
    texts = [f"{'a ' * (i % 9 + 1)}" for i in range(64)]
    of_epoch = example_epochs(
        *(texts, list(range(64))),
        preprocessor=PREPROCESSOR,
        encode_labels=label_encoder([str(i) for i in range(64)], "single_label"),
    )
    epochs = [joined(list(of_epoch(epoch, (3, 4)).as_numpy_iterator())) for epoch in range(2)]
    for features, y, _ in epochs:
        assert sorted(y) == list(range(64))
        np.testing.assert_array_equal(features["padding_mask"].sum(axis=1), y % 9 + 3)
    assert list(epochs[0][1]) != list(epochs[1][1]) != list(range(64))


def test_the_last_examples_are_split_off():
    train, dev = split((TEXTS, OTHERS), NAMES, WEIGHTS, 0.3)
    assert [part.numpy().tolist() for part in train[0]] == [
        [t.encode() for t in x[:4]] for x in (TEXTS, OTHERS)
    ]
    assert [part.numpy().tolist() for part in dev[0]] == [
        [t.encode() for t in x[4:]] for x in (TEXTS, OTHERS)
    ]
    assert (train[1].tolist(), dev[1].tolist()) == (NAMES[:4], NAMES[4:])
    assert (train[2].tolist(), dev[2].tolist()) == (WEIGHTS[:4], WEIGHTS[4:])


def test_ready_inputs_and_lists_of_labels_are_split():
    lists = [["positive"], [], ["negative"], [], [], [], ["positive", "negative"]]
    train, dev = split(READY, lists, None, 0.5)
    np.testing.assert_array_equal(train[0]["token_ids"], READY["token_ids"][:3])
    np.testing.assert_array_equal(dev[0]["padding_mask"], READY["padding_mask"][3:])
    assert (list(train[1]), list(dev[1])) == (lists[:3], lists[3:])
    assert train[2] is dev[2] is None


@pytest.mark.parametrize("share", [0.999999, 1.0, 1.5, -0.5])
def test_a_split_must_leave_examples_on_both_sides(share):
    with pytest.raises(ValueError, match=f"examples on both sides. Received: validation_split={share} of 7"):
        split(TEXTS, NAMES, None, share)


@pytest.mark.parametrize(
    ("name", "y", "weights"), [("y", NAMES * 2, None), ("sample_weight", NAMES, WEIGHTS * 2)]
)
def test_a_split_drops_no_labels(name, y, weights):
    with pytest.raises(ValueError, match=f"`{name}` must have a row for each text. Received: 14 for 7 texts"):
        split(TEXTS, y, weights, 0.5)
