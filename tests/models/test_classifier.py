"""BertClassifier: `fit` and `evaluate` on what users have, in each of its tasks."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_bert
from tests.classifiers import INDICES, NAMES, TEXTS, make_classifier, make_preprocessor, values_of

OTHERS = ["no", "yes film", "a", "story", "is it", "the day", "long"]
ROWS = np.array([[1, 0, 0], [0, 0, 0], [0, 1, 1], [0, 0, 1], [1, 1, 1], [0, 0, 0], [0, 1, 0]])
VALUES = [0.5, -1.0, 2.0, 0.0, 1.5, 3.0, -0.5]
SLICES = tf.data.Dataset.from_tensor_slices
READY = {name: tensor.numpy() for name, tensor in make_preprocessor()(TEXTS).items()}


def fitted(x, *args, how=None, **kwargs):
    """The losses and the weights of a short training, in order."""
    classifier = make_classifier()
    classifier.compile(learning_rate=0.001, warmup=0.0, **{"run_eagerly": True} if how is None else how)
    history = classifier.fit(x, *args, **{"batch_size": 4, "shuffle": False, "verbose": 0, **kwargs}).history
    return history, values_of(classifier)


def assert_same_history(one, other):
    assert set(one) == set(other)
    for name, values in one.items():
        assert values == pytest.approx(other[name], rel=1e-5), name


def assert_same_training(one, other):
    assert_same_history(one[0], other[0])
    for path, value in one[1].items():
        np.testing.assert_allclose(value, other[1][path], atol=1e-6, err_msg=path)


@pytest.fixture(scope="module")
def from_lists():
    return fitted(TEXTS, NAMES)


@pytest.mark.slow
@pytest.mark.parametrize("parts", [1, 2])
def test_xla_trains_as_eager_steps_do(from_lists, parts):
    """With rows of one length, and padding computed."""
    how = {"jit_compile": True, "gradient_accumulation_steps": parts}
    assert_same_training(fitted(TEXTS, NAMES, how=how), from_lists)


@pytest.mark.parametrize("labels", [np.eye(2)[INDICES], np.array(INDICES)], ids=["one-hot", "indices"])
def test_names_indices_and_one_hot_labels_train_alike(labels, from_lists):
    assert_same_training(fitted(READY, labels), from_lists)


def test_a_dataset_trains_as_its_lists_do(from_lists):
    assert_same_training(fitted(SLICES((TEXTS, NAMES))), from_lists)


def test_class_weights_train_as_sample_weights_do():
    by_class = fitted(READY, NAMES, class_weight={"positive": 3.0})
    by_sample = fitted(READY, NAMES, sample_weight=[3.0 if name == "positive" else 1.0 for name in NAMES])
    assert_same_training(by_class, by_sample)


VALIDATION = {
    "lists": (TEXTS[4:], NAMES[4:]),
    "lists and weights": (TEXTS[4:], NAMES[4:], [1.0, 1.0, 1.0]),
    "dataset": SLICES((TEXTS[4:], NAMES[4:])),
    "dataset in a tuple": (SLICES((TEXTS[4:], NAMES[4:])).batch(2),),
}


@pytest.fixture(scope="module")
def validated():
    """Fits a model that stays as it is, and gives the losses and scores."""
    classifier = make_classifier()
    classifier.compile(optimizer=keras.optimizers.SGD(0.0), run_eagerly=True)

    def history(*args, **kwargs):
        return classifier.fit(*args, batch_size=4, shuffle=False, verbose=0, **kwargs).history

    return history, classifier.evaluate(TEXTS[4:], NAMES[4:], verbose=0)


@pytest.mark.parametrize("form", VALIDATION)
def test_validation_data_in_all_their_forms(form, validated):
    fit, (loss, accuracy) = validated
    found = fit(
        {name: array[:4] for name, array in READY.items()}, NAMES[:4], validation_data=VALIDATION[form]
    )
    assert set(found) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert (found["val_loss"], found["val_accuracy"]) == (pytest.approx([loss]), pytest.approx([accuracy]))


def test_a_split_is_training_on_the_first_and_validation_on_the_last(validated):
    fit, _ = validated
    train, dev = ({name: array[part] for name, array in READY.items()} for part in (slice(4), slice(4, 7)))
    given = fit(train, NAMES[:4], validation_data=(dev, NAMES[4:]))
    assert_same_history(fit(TEXTS, NAMES, validation_split=0.4), given)


def test_a_regression_of_pairs_learns_its_examples():
    classifier, pairs = make_classifier(None, "regression"), (TEXTS, OTHERS)
    assert np.corrcoef(classifier.predict(pairs, verbose=0)[:, 0], VALUES)[0, 1] < 0.8
    classifier.compile(optimizer=keras.optimizers.Adam(0.05), metrics=[], run_eagerly=True)
    classifier.fit(SLICES((pairs, VALUES)).batch(7).repeat(16), verbose=0)
    assert np.corrcoef(classifier.predict(pairs, verbose=0)[:, 0], VALUES)[0, 1] > 0.9
    assert classifier.pairs is True


def test_evaluate_gives_the_accuracy_of_the_predictions():
    metrics = pytest.importorskip("sklearn.metrics")
    classifier = make_classifier()
    classifier.compile(run_eagerly=True)
    weights = [1.0, 2.0, 0.5, 1.0, 3.0, 1.0, 1.0]
    scores = classifier.predict(TEXTS, verbose=0)
    loss, accuracy = classifier.evaluate(TEXTS, NAMES, batch_size=3, sample_weight=weights, verbose=0)
    assert loss == pytest.approx(metrics.log_loss(INDICES, scores, sample_weight=weights), rel=1e-5)
    assert accuracy == pytest.approx(metrics.accuracy_score(INDICES, scores.argmax(axis=1)))


def test_evaluate_of_several_labels_is_of_each_of_them():
    metrics = pytest.importorskip("sklearn.metrics")
    classifier = make_classifier(("x", "y", "z"), "multi_label")
    classifier.compile(run_eagerly=True)
    scores = classifier.predict(TEXTS, verbose=0)
    names = [[name for name, is_in in zip("xyz", row, strict=True) if is_in] for row in ROWS]
    found = classifier.evaluate(TEXTS, names, batch_size=3, verbose=0, return_dict=True)
    assert classifier.fit(READY, ROWS, batch_size=7, verbose=0).history["loss"] == pytest.approx(
        [found["loss"]]
    )
    losses = [metrics.log_loss(ROWS[:, i], scores[:, i], labels=[0, 1]) for i in range(3)]
    assert found["loss"] == pytest.approx(np.mean(losses), rel=1e-5)
    assert found["accuracy"] == pytest.approx(metrics.accuracy_score(ROWS.ravel(), scores.ravel() > 0.5))


def test_evaluate_of_a_regression_gives_its_correlation_and_errors():
    metrics = pytest.importorskip("sklearn.metrics")
    classifier = make_classifier(None, "regression")
    classifier.compile(run_eagerly=True)
    scores = classifier.predict(TEXTS, verbose=0)[:, 0]
    found = classifier.evaluate(TEXTS, VALUES, batch_size=3, verbose=0, return_dict=True)
    assert found["loss"] == pytest.approx(metrics.mean_squared_error(VALUES, scores), rel=1e-5)
    assert found["mae"] == pytest.approx(metrics.mean_absolute_error(VALUES, scores), rel=1e-5)
    assert found["pearson"] == pytest.approx(np.corrcoef(VALUES, scores)[0, 1], abs=1e-5)


@pytest.mark.parametrize(
    "loss", [keras.losses.SparseCategoricalCrossentropy, keras.losses.CategoricalCrossentropy]
)
def test_a_compile_of_the_user_sees_logits(loss):
    classifier = make_classifier()
    is_sparse = loss is keras.losses.SparseCategoricalCrossentropy
    metric = (
        keras.metrics.SparseCategoricalCrossentropy if is_sparse else keras.metrics.CategoricalCrossentropy
    )
    y = INDICES if is_sparse else np.eye(2)[INDICES]
    before, logits = values_of(classifier), classifier(classifier.preprocessor(TEXTS)).numpy()
    expected = (np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(7), INDICES]).mean()

    optimizer = keras.optimizers.Adam(0.01)
    classifier.compile(
        optimizer=optimizer,
        loss=loss(from_logits=True),
        metrics=[metric("entropy", from_logits=True)],
        run_eagerly=True,
    )
    history = classifier.fit(TEXTS, y, verbose=0).history

    assert_same_history(history, {"loss": [expected], "entropy": [expected]})
    # Adam's first update is its rate wherever the gradient is not 0.
    moved = np.abs(values_of(classifier)["logits/kernel"] - before["logits/kernel"])
    np.testing.assert_allclose(moved, 0.01, rtol=1e-3)
    assert int(optimizer.iterations) == 1


def test_a_graph_trains_as_eager_steps_do_and_is_traced_once(monkeypatch):
    """For batches of 3, 3 and 1 rows, 4 to 12 tokens wide, in two fits."""
    traces = dict.fromkeys(("train_step", "test_step", "predict_step"), 0)
    eager, graph = make_classifier(), make_classifier()

    def counted(name, step):
        def traced(data):
            traces[name] += 1
            return step(data)

        return traced

    for name in traces:
        monkeypatch.setattr(graph, name, counted(name, getattr(graph, name)))
    for classifier in (eager, graph):
        optimizer = keras_bert.training.adamw(classifier.trainable_variables, 0.001)
        classifier.compile(optimizer=optimizer, run_eagerly=classifier is eager)
    settings, rounds = {"batch_size": 3, "shuffle": False, "verbose": 0}, []
    for _ in range(2):
        graph.fit(TEXTS, NAMES, validation_data=(TEXTS, NAMES), validation_batch_size=2, **settings)
        graph.predict(TEXTS, batch_size=2, verbose=0)
        rounds.append(dict(traces))
        eager.fit(READY, NAMES, **settings)
    # Training is traced a second time where the optimizer's variables are made, predictions until no size is fixed.
    assert rounds[0] == {"train_step": 2, "test_step": 1, "predict_step": 3}
    assert rounds[1] == rounds[0]
    for path, value in values_of(eager).items():
        np.testing.assert_allclose(values_of(graph)[path], value, atol=1e-5, err_msg=path)
