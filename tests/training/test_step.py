"""The train step: the formulas of its losses, whole or in parts, against what NumPy and torch make of them."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_bert.training.loss_terms import LossTerm
from tests.classifiers import INDICES, TEXTS, make_classifier, make_preprocessor

LABELS = np.array(INDICES)
WEIGHTS = np.array([1.0, 0.5, 3.0, 2.0, 0.25, 1.0, 0.0], "float32")
# What the sum of weighted losses is divided by.
DIVISORS = {"mean_with_sample_weight": np.sum, "sum_over_batch_size": len, "sum": lambda weights: 1}


def cross_entropy(**how):
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True, **how)


def losses_of(classifier, inputs, y):
    """Each example's loss, by NumPy."""
    logits = classifier(inputs).numpy()
    return np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(y)), y]


def gradients_of(classifier, inputs, y, weights, divisor):
    """The gradients of the weighted losses' sum over a divisor, by the whole batch at once."""
    with tf.GradientTape() as tape:
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(y, classifier(inputs, training=True))
        loss = tf.reduce_sum(losses * weights) / divisor
    gradients = tape.gradient(loss, [v.value for v in classifier.trainable_variables])
    return [tf.convert_to_tensor(gradient).numpy() for gradient in gradients]


def values(classifier):
    return [v.value.numpy() for v in classifier.trainable_variables]


def assert_all_close(actual, expected, atol):
    for one, other in zip(actual, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=atol, rtol=0)


def rows(inputs, low, high):
    return {name: array[low:high] for name, array in inputs.items()}


@pytest.fixture
def classifier():
    return make_classifier()


@pytest.fixture(scope="module")
def inputs():
    return {name: tensor.numpy() for name, tensor in make_preprocessor()(TEXTS).items()}


def fitted(classifier, inputs, optimizer, y=LABELS, weights=WEIGHTS, **arguments):
    """Compiles, trains in order, and gives the losses of the epochs."""
    batch_size, epochs = arguments.pop("batch_size", 7), arguments.pop("epochs", 1)
    classifier.compile(optimizer=optimizer, run_eagerly=True, **arguments)
    history = classifier.fit(
        inputs, y, sample_weight=weights, batch_size=batch_size, epochs=epochs, shuffle=False, verbose=0
    )
    return history.history["loss"]


@pytest.mark.parametrize(
    ("reduction", "parts"),
    [("mean_with_sample_weight", 1), ("mean_with_sample_weight", 3), ("sum_over_batch_size", 3), ("sum", 3)],
)
def test_an_update_follows_the_reduction_of_the_loss(classifier, inputs, reduction, parts):
    divisor = DIVISORS[reduction](WEIGHTS)
    expected_loss = (losses_of(classifier, inputs, LABELS) * WEIGHTS).sum() / divisor
    gradients = gradients_of(classifier, inputs, LABELS, WEIGHTS, divisor)
    expected = [value - 0.1 * gradient for value, gradient in zip(values(classifier), gradients, strict=True)]

    loss = cross_entropy(reduction=reduction)
    losses = fitted(
        classifier, inputs, keras.optimizers.SGD(0.1), loss=loss, gradient_accumulation_steps=parts
    )

    assert losses == pytest.approx([expected_loss], rel=1e-5)
    assert_all_close(values(classifier), expected, atol=1e-6)


@pytest.mark.parametrize(
    "loss",
    [
        "auto",
        # A function's values are averaged over the rows, as Keras does.
        lambda y, logits: keras.losses.sparse_categorical_crossentropy(y, logits, from_logits=True),
    ],
)
def test_losses_without_a_reduction_of_their_own(classifier, inputs, loss):
    divisor = WEIGHTS.sum() if loss == "auto" else len(WEIGHTS)
    expected = (losses_of(classifier, inputs, LABELS) * WEIGHTS).sum() / divisor
    assert fitted(classifier, inputs, keras.optimizers.SGD(0.0), loss=loss) == pytest.approx(
        [expected], rel=1e-5
    )


def clipped_globally(gradients):
    norm = np.sqrt(sum((g**2).sum() for g in gradients))
    assert norm > 0.5
    return [g * 0.5 / norm for g in gradients]


def clipped_singly(gradients):
    return [g * min(1, 0.1 / max(np.sqrt((g**2).sum()), 1e-9)) for g in gradients]


@pytest.mark.parametrize(
    ("clipping", "clipped"),
    [
        ({"global_clipnorm": 0.5}, clipped_globally),
        ({"clipnorm": 0.1}, clipped_singly),
        ({"clipvalue": 0.01}, lambda gradients: [g.clip(-0.01, 0.01) for g in gradients]),
    ],
)
def test_the_whole_gradient_is_clipped_and_not_its_parts(classifier, inputs, clipping, clipped):
    gradients = clipped(gradients_of(classifier, inputs, LABELS, WEIGHTS, WEIGHTS.sum()))
    expected = [value - gradient for value, gradient in zip(values(classifier), gradients, strict=True)]
    fitted(classifier, inputs, keras.optimizers.SGD(1.0, **clipping), gradient_accumulation_steps=3)
    assert_all_close(values(classifier), expected, atol=1e-6)


def test_three_parts_train_as_one(inputs):
    """Rows that parts do not divide, 7 = 5 + 2; a batch of fewer rows than parts; uneven weights; clipping."""
    results = []
    for parts in (1, 3):
        classifier = make_classifier()
        losses = fitted(
            classifier,
            inputs,
            "auto",
            learning_rate=0.001,
            gradient_accumulation_steps=parts,
            batch_size=5,
            epochs=2,
        )
        results.append((losses, values(classifier)))
    assert results[0][0] == pytest.approx(results[1][0], abs=1e-6)
    assert_all_close(results[0][1], results[1][1], atol=1e-6)


def test_the_default_fit_is_torchs_adamw_on_clipped_gradients(inputs):
    torch = pytest.importorskip("torch")
    classifier, reference = make_classifier(), make_classifier()
    parameters = [torch.nn.Parameter(torch.tensor(value)) for value in values(reference)]
    decayed = [v.path.endswith(("kernel", "embeddings")) for v in reference.trainable_variables]
    groups = [
        {
            "params": [p for p, is_in in zip(parameters, decayed, strict=True) if is_in == part],
            "weight_decay": decay,
        }
        for part, decay in ((True, 0.01), (False, 0.0))
    ]
    optimizer = torch.optim.AdamW(groups)
    for step, (rate, low, high) in enumerate(
        [(0.001, 0, 3), (0.001 * 2 / 3, 3, 6), (0.001 / 3, 6, 7)], start=1
    ):
        weights = WEIGHTS[low:high] + 0.5
        gradients = gradients_of(reference, rows(inputs, low, high), LABELS[low:high], weights, weights.sum())
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = torch.tensor(gradient)
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        for group in optimizer.param_groups:
            # Keras adds epsilon before the correction for the first steps, torch after it.
            group |= {"lr": rate, "eps": 1e-6 / (1 - 0.999**step) ** 0.5}
        optimizer.step()
        for variable, parameter in zip(reference.trainable_variables, parameters, strict=True):
            variable.assign(parameter.detach().numpy())

    arguments = {"learning_rate": 0.001, "warmup": 0.0, "batch_size": 3}
    fitted(classifier, inputs, "auto", weights=WEIGHTS + 0.5, **arguments)

    assert_all_close(values(classifier), values(reference), atol=1e-5)


@pytest.mark.parametrize("reduction", ["mean_with_sample_weight", "sum_over_batch_size"])
def test_an_epochs_loss_is_the_loss_over_all_its_examples(classifier, inputs, reduction):
    expected = (losses_of(classifier, inputs, LABELS) * WEIGHTS).sum() / DIVISORS[reduction](WEIGHTS)
    losses = fitted(
        classifier, inputs, keras.optimizers.SGD(0.0), loss=cross_entropy(reduction=reduction), batch_size=3
    )
    evaluated = classifier.evaluate(inputs, LABELS, batch_size=4, sample_weight=WEIGHTS, verbose=0)
    assert losses == pytest.approx([expected], rel=1e-5)
    assert evaluated[0] == pytest.approx(expected, rel=1e-5)


def test_weights_of_zero_train_nothing(classifier, inputs):
    before = values(classifier)
    assert fitted(classifier, inputs, keras.optimizers.SGD(1.0), weights=0 * WEIGHTS) == [0.0]
    assert_all_close(values(classifier), before, atol=0)


def test_rows_of_padding_count_nowhere(classifier, inputs):
    filled = {name: np.pad(array, [(0, 2), (0, 0)]) for name, array in inputs.items()}
    expected = losses_of(classifier, inputs, LABELS).mean()
    accuracy = (classifier(inputs).numpy().argmax(axis=1) == LABELS).mean()
    classifier.compile(run_eagerly=True)
    loss, *scores = classifier.evaluate(filled, np.append(LABELS, [1, 1]), verbose=0)
    assert loss == pytest.approx(expected, rel=1e-5)
    assert scores == pytest.approx([accuracy])


def test_the_loss_of_a_batch_is_the_steps(classifier, inputs):
    losses = losses_of(classifier, inputs, LABELS)
    tensors = {name: tf.constant(array) for name, array in inputs.items()}
    logits = classifier(tensors)
    assert float(classifier.compute_loss(tensors, LABELS, logits)) == pytest.approx(losses.mean(), rel=1e-5)
    weighted = classifier.compute_loss(tensors, LABELS, logits, WEIGHTS)
    assert float(weighted) == pytest.approx((losses * WEIGHTS).sum() / WEIGHTS.sum(), rel=1e-5)


def test_rows_without_weights_weigh_one(classifier, inputs):
    expected = losses_of(classifier, inputs, LABELS).mean()
    classifier.compile(optimizer=keras.optimizers.SGD(0.0), metrics=[], run_eagerly=True)
    for use in (classifier.train_on_batch, classifier.test_on_batch):
        assert float(np.ravel(use(inputs, LABELS))[0]) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("reduction", [None, "none"])
def test_a_loss_that_is_not_one_number_is_refused(reduction):
    with pytest.raises(ValueError, match="reduced to one number. Received: reduction=None"):
        LossTerm(keras.losses.MeanSquaredError(reduction=reduction))


def test_accumulation_by_the_optimizer_is_refused(classifier):
    with pytest.raises(ValueError, match="asked for in `compile`.*gradient_accumulation_steps=4"):
        classifier.compile(optimizer=keras.optimizers.Adam(gradient_accumulation_steps=4))
