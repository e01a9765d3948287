"""The moving average of the weights: NumPy's, in `fit`, in evaluations, in files, and over an interruption."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_bert
from keras_bert.training import Checkpoints, Lamb, adamw, fit_with_resume
from tests.classifiers import INDICES, TEXTS, make_classifier, make_preprocessor

READY = {name: tensor.numpy() for name, tensor in make_preprocessor()(TEXTS).items()}
MOMENTUM = 0.7


class Weights(keras.callbacks.Callback):
    """Notes the weights after each update."""

    def __init__(self):
        super().__init__()
        self.steps = []

    def on_train_batch_end(self, batch, logs=None):
        self.steps.append(trainable(self.model))


def trainable(model):
    return [v.numpy() for v in model.trainable_variables]


def averaged(steps):
    """The average begins with the weights after the first update."""
    average = [value.astype("float64") for value in steps[0]]
    for step in steps[1:]:
        average = [MOMENTUM * a + (1 - MOMENTUM) * value for a, value in zip(average, step, strict=True)]
    return average


def assert_all_close(found, expected, atol=1e-6):
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=atol, rtol=0)


def difference(found, expected):
    return max(np.abs(a - b).max() for a, b in zip(found, expected, strict=True))


def make_optimizer(kind, variables):
    if kind == "lamb":
        return Lamb(0.01, use_ema=True, ema_momentum=MOMENTUM)
    return adamw(variables, 0.01, ema_momentum=MOMENTUM)


@pytest.mark.parametrize("kind", ["automatic", "adamw", "lamb"])
def test_a_fit_ends_with_the_average(kind, tmp_path):
    """Of updates, and not of the parts of a batch; what is saved is the average."""
    classifier = make_classifier()
    if kind == "automatic":
        settings = {"learning_rate": 0.01, "ema_momentum": MOMENTUM}
    else:
        settings = {"optimizer": make_optimizer(kind, classifier.trainable_variables)}
    classifier.compile(**settings, gradient_accumulation_steps=2, run_eagerly=True)
    log = Weights()
    classifier.fit(READY, INDICES, batch_size=3, epochs=2, shuffle=False, verbose=0, callbacks=[log])
    expected = averaged(log.steps)
    assert len(log.steps) == 6 and difference(log.steps[-1], expected) > 1e-3
    assert_all_close(trainable(classifier), expected)
    classifier.save_to_preset(tmp_path / "preset")
    again = keras_bert.BertClassifier.from_preset(tmp_path / "preset")
    np.testing.assert_allclose(again.predict(TEXTS, verbose=0), classifier.predict(TEXTS, verbose=0), atol=1e-6)


def test_evaluations_of_a_fit_see_the_average_where_they_are_asked_to():
    classifier = make_classifier()
    classifier.compile(learning_rate=0.01, ema_momentum=MOMENTUM, run_eagerly=True)
    log = Weights()
    callbacks = [log, keras.callbacks.SwapEMAWeights()]
    settings = {"batch_size": 3, "shuffle": False, "verbose": 0, "validation_data": (READY, INDICES)}
    history = classifier.fit(READY, INDICES, epochs=2, callbacks=callbacks, **settings).history
    other = make_classifier()
    other.compile(run_eagerly=True)
    for epoch, val_loss in enumerate(history["val_loss"]):
        for variable, value in zip(
            other.trainable_variables, averaged(log.steps[: 3 * epoch + 3]), strict=True
        ):
            variable.assign(value)
        assert val_loss == pytest.approx(other.evaluate(READY, INDICES, verbose=0)[0], abs=1e-5)
    assert_all_close(trainable(classifier), averaged(log.steps))


def test_a_file_keeps_the_average(tmp_path):
    classifier = make_classifier()
    classifier.compile(learning_rate=0.01, ema_momentum=MOMENTUM, run_eagerly=True)
    settings = {"batch_size": 3, "shuffle": False, "verbose": 0}
    classifier.fit(READY, INDICES, **settings)
    classifier.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert again.ema_momentum == MOMENTUM
    again.run_eagerly = True
    for model in (classifier, again):
        model.fit(READY, INDICES, **settings)
    assert_all_close(trainable(again), trainable(classifier), atol=1e-7)


def test_an_interruption_changes_neither_the_weights_nor_their_average(tmp_path):
    """In an epoch's middle: `fit` sets the weights to the average when it ends, and here it ends there."""
    dataset = tf.data.Dataset.from_tensor_slices((READY, np.array(INDICES))).batch(3)
    results = []
    for folder, stops in (("whole", (7,)), ("parts", (4, 7))):
        for stop in stops:
            classifier = make_classifier()
            optimizer = adamw(classifier.trainable_variables, 0.01, ema_momentum=MOMENTUM)
            classifier.compile(optimizer, run_eagerly=True)
            log = Weights()
            progress = fit_with_resume(
                classifier,
                lambda step: dataset.repeat().skip(step).map(lambda x, y: (x, y, tf.ones(tf.shape(y)))),
                steps=stop,
                steps_per_epoch=3,
                checkpoints=Checkpoints(tmp_path / folder, classifier),
                callbacks=[log],
                verbose=0,
            )
            assert progress.step == stop
        results.append((log.steps, trainable(classifier)))
        optimizer.finalize_variable_values(classifier.trainable_variables)
        results[-1] += (trainable(classifier),)
    (steps, weights, average), (other_steps, other_weights, other_average) = results
    assert len(steps) == 7 and len(other_steps) == 3
    assert_all_close(weights, steps[-1], atol=0)
    assert_all_close(average, averaged(steps))
    assert difference(weights, average) > 1e-3
    assert_all_close(other_weights, weights, atol=0)
    assert_all_close(other_average, average, atol=0)


def test_a_momentum_that_is_none_is_refused():
    with pytest.raises(ValueError, match="`ema_momentum` must be at least 0 and below 1. Received: 1"):
        adamw([], ema_momentum=1)
