"""What BertClassifier says to examples and settings that do not fit together."""

import numpy as np
import pytest
import tensorflow as tf

import keras_bert
from tests.classifiers import NAMES, TEXTS, VOCABULARY, make_classifier, make_preprocessor

SLICES = tf.data.Dataset.from_tensor_slices
NO_EXAMPLES = {
    "no texts": (([], []), {}, "at least one example. Received: an empty list"),
    "no labels": ((TEXTS,), {}, "Labels must be given as `y`. Received: y=None"),
    "too many labels": (
        (TEXTS, NAMES * 2),
        {},
        "`y` must have a row for each text. Received: 14 for 7 texts",
    ),
    "too few labels": ((TEXTS, NAMES[:3]), {}, "`y` must have a row for each text. Received: 3 for 7 texts"),
    "a label for all": (
        (TEXTS, "positive"),
        {},
        "`y` must have a row for each text. Received: one value for 7",
    ),
    "too few weights": (
        (TEXTS, NAMES),
        {"sample_weight": [1.0]},
        "`sample_weight` must have a row.* Received: 1 for 7",
    ),
    "an unknown label": (
        (TEXTS, [*NAMES[:-1], "neutral"]),
        {},
        r"among \['negative', 'positive'\]. Received: 'neutral' at index 6. Name all of them in `labels`",
    ),
    "an unknown label in a tensor": (
        (TEXTS, tf.constant([*NAMES[:-1], "neutral"])),
        {},
        "'neutral' at index 6",
    ),
    "an unknown index": (
        (TEXTS, [0, 1, 2, 0, 0, 0, 0]),
        {},
        "Labels must be 0 to 1.* Received: 2 at index 2",
    ),
    "labels beside a dataset": (
        (SLICES((TEXTS, NAMES)), NAMES),
        {},
        "must come with the dataset.* Zip them into it",
    ),
    "weights beside a dataset": (
        (SLICES((TEXTS, NAMES)),),
        {"sample_weight": [1.0] * 7},
        "must come with the dataset, as",
    ),
    "a dataset of texts": ((SLICES(TEXTS),), {}, r"A dataset must give \(x, y\).* Received: TensorSpec"),
}
NO_FIT = {
    "an endless dataset": (
        (SLICES((TEXTS, NAMES)).repeat(),),
        {},
        "An endless dataset needs `steps_per_epoch`",
    ),
    "a weight of no class": (
        (TEXTS, NAMES),
        {"class_weight": {"neutral": 2.0}},
        "must name labels. Received: 'neutral'",
    ),
    "a split of a dataset": ((SLICES((TEXTS, NAMES)),), {"validation_split": 0.5}, "Use `take` and `skip`"),
    "a split of all": ((TEXTS, NAMES), {"validation_split": 1.0}, "validation_split=1.0 of 7"),
    "a split without labels": ((TEXTS,), {"validation_split": 0.5}, "Labels must be given as `y`"),
    "wrong validation data": (
        (TEXTS, NAMES),
        {"validation_data": (TEXTS, NAMES[1:])},
        "Received: 6 for 7 texts",
    ),
}


@pytest.fixture(scope="module")
def classifier():
    classifier = make_classifier()
    classifier.compile(run_eagerly=True)
    return classifier


@pytest.mark.parametrize("name", NO_EXAMPLES)
def test_examples_that_do_not_fit_together_are_refused(classifier, name):
    arguments, settings, message = NO_EXAMPLES[name]
    for use in (classifier.fit, classifier.evaluate):
        with pytest.raises(ValueError, match=message):
            use(*arguments, verbose=0, **settings)


@pytest.mark.parametrize("name", NO_FIT)
def test_settings_of_a_fit_that_do_not_fit_are_refused(name):
    arguments, settings, message = NO_FIT[name]
    classifier = make_classifier()
    classifier.compile(run_eagerly=True)
    with pytest.raises(ValueError, match=message):
        classifier.fit(*arguments, verbose=0, **settings)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_weights_of_half_precision_answer_but_do_not_train(tmp_path, dtype):
    make_classifier().save_to_preset(tmp_path / "preset")
    classifier = keras_bert.BertClassifier.from_preset(tmp_path / "preset", dtype=dtype)
    assert np.isfinite(classifier.predict(TEXTS, verbose=0)).all()
    message = f"must be float32 to train.* Received: dtype='{dtype}'. Use 'mixed_{dtype}'"
    with pytest.raises(ValueError, match=message):
        classifier.fit(TEXTS, NAMES, verbose=0)


def test_an_unknown_label_in_a_dataset_is_named(classifier):
    dataset = SLICES((TEXTS, [*NAMES[:-1], "neutral"]))
    with pytest.raises(tf.errors.InvalidArgumentError, match="(?s)Labels must be among.*Received:.*neutral"):
        classifier.evaluate(dataset, verbose=0)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), None])
def test_values_of_a_regression_must_be_finite(value):
    with pytest.raises(ValueError, match="must be finite. Received: (nan|inf) at index 2"):
        make_classifier(None, "regression").fit(TEXTS, [1, 2, value, 4, 5, 6, 7], verbose=0)


@pytest.mark.parametrize("task", ["multi_label", "regression"])
def test_class_weights_are_for_single_labels(task):
    classifier = make_classifier(("a",), task)
    with pytest.raises(ValueError, match=f"`class_weight` needs one label a text. Received: task='{task}'"):
        classifier.fit(TEXTS, np.ones((7, 1)), class_weight={0: 2.0}, verbose=0)


def test_a_model_without_a_preprocessor_takes_no_texts(tmp_path):
    classifier = make_classifier(texts=False)
    for use in (lambda: classifier.predict(TEXTS), lambda: classifier.fit(TEXTS, NAMES)):
        with pytest.raises(
            ValueError, match="without a preprocessor takes dicts of encoder inputs. Received: texts"
        ):
            use()
    with pytest.raises(ValueError, match="An export from strings needs a preprocessor"):
        classifier.export(tmp_path / "1")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("length", [2, 0, -1, 8.0, None])
def test_rows_need_room_for_a_token(length):
    with pytest.raises(
        ValueError, match=f"`sequence_length` must be a whole number, at least 3.*Received: .*{length}"
    ):
        keras_bert.BertPreprocessor(keras_bert.BertTokenizer(VOCABULARY), sequence_length=length)


def test_rows_must_fit_the_position_table():
    encoder = make_classifier().encoder
    message = "`sequence_length` must not be beyond.* Received: sequence_length=17, max_sequence_length=16"
    with pytest.raises(ValueError, match=message):
        keras_bert.BertClassifier(encoder, make_preprocessor(17), num_classes=2)


def test_every_token_needs_a_row_of_the_table():
    encoder = keras_bert.BertEncoder(20, 1, 3, 12, 20, 16)
    with pytest.raises(ValueError, match="a row for every token. Received: 21 tokens, vocabulary_size=20"):
        keras_bert.BertClassifier(encoder, make_preprocessor(), num_classes=2)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "needs to know the classes. Received: neither `labels` nor `num_classes`"),
        ({"num_classes": 2, "sequence_length": 2}, "at least 3"),
        ({"num_classes": 2, "sequence_length": 17}, "Received: sequence_length=17, max_sequence_length=16"),
        ({"labels": ["a", "a"]}, "Labels must differ. Received: 'a' more than once"),
        (
            {"num_classes": 2, "task": "ranking"},
            "one of single_label, multi_label, regression. Received: 'ranking'",
        ),
    ],
)
def test_a_preset_without_a_head_is_told_what_is_missing(tmp_path, settings, message):
    bare = tmp_path / "bare"
    classifier = make_classifier()
    classifier.encoder.save_to_preset(bare)
    (bare / "vocab.txt").write_text("".join(f"{token}\n" for token in VOCABULARY), encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        keras_bert.BertClassifier.from_preset(bare, **settings)
