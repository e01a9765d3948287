"""AdamW: torch's numbers, and decay on matrices alone."""

import contextlib

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_bert
from keras_bert.training import adamw
from keras_bert.training.optimizers import AdamW, is_decayed
from tests.classifiers import make_classifier, values_of

BLOCK = [
    *("query/kernel", "key/kernel", "value/kernel", "attention_output/kernel", "intermediate/kernel"),
    "output/kernel",
]
DECAYED = [
    "embeddings/token_embedding/embeddings",
    "embeddings/position_embedding/embeddings",
    "embeddings/segment_embedding/embeddings",
    *(f"transformer_block_{i}/{part}" for i in range(2) for part in BLOCK),
    "pooler/dense/kernel",
    "logits/kernel",
]


@pytest.fixture(scope="module")
def classifier():
    return make_classifier(num_layers=2)


def test_kernels_and_embeddings_decay_and_nothing_else(classifier):
    assert [v.path for v in classifier.trainable_variables if is_decayed(v)] == DECAYED
    kept = {v.path.rsplit("/", 1)[-1] for v in classifier.trainable_variables if not is_decayed(v)}
    assert kept == {"bias", "gamma", "beta"}


def test_the_default_optimizer_decays_just_these(classifier):
    """Seen in what an update with gradients of 0 does: decay is all that is left of it."""
    variables, before = classifier.trainable_variables, values_of(classifier)
    optimizer = adamw(variables, 0.5, weight_decay=0.1)
    optimizer.apply([np.zeros(v.shape, "float32") for v in variables], variables)
    after = values_of(classifier)
    assert [path for path in after if (after[path] != before[path]).any()] == DECAYED
    for path in DECAYED:
        np.testing.assert_allclose(after[path], 0.95 * before[path], rtol=1e-6)


def test_the_default_compile_is_how_bert_was_fine_tuned(classifier):
    optimizer = classifier.optimizer
    assert isinstance(optimizer, keras.optimizers.AdamW)
    settings = {
        name: optimizer.get_config()[name] for name in ("weight_decay", "beta_1", "beta_2", "epsilon")
    }
    assert settings == {"weight_decay": 0.01, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-6}
    assert optimizer.global_clipnorm == 1.0
    assert [v.path for v in classifier.trainable_variables if optimizer._use_weight_decay(v)] == DECAYED


def made(values):
    """Variables in layers, by their paths."""
    variables = []
    for path, value in values.items():
        *layers, name = path.split("/")
        with contextlib.ExitStack() as scopes:
            for layer in layers:
                scopes.enter_context(keras.name_scope(layer))
            variables.append(keras.Variable(np.asarray(value, "float32"), name=name))
    assert [variable.path for variable in variables] == list(values)
    return variables


def trajectory_error(optimizer, ours, reference, theirs, schedule):
    """The largest difference of any weight in 100 updates with gradients of very different sizes."""
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(4)
    worst, clipped = 0.0, 0
    optimizer.build(ours)
    update = tf.function(lambda *gradients: optimizer.apply(list(gradients), ours))
    for step in range(1, 101):
        gradients = [rng.normal(size=v.shape) * 10 ** rng.uniform(-3, 0.3) for v in ours]
        update(*[tf.constant(gradient, "float32") for gradient in gradients])
        for parameter, gradient in zip(theirs, gradients, strict=True):
            parameter.grad = torch.tensor(gradient)
        clipped += int(torch.nn.utils.clip_grad_norm_(theirs, 1.0) > 1)
        for group in reference.param_groups:
            # Keras adds epsilon before the correction for the first steps, torch after it.
            group["eps"] = 1e-6 / (1 - 0.999**step) ** 0.5
        reference.step()
        schedule.step()
        pairs = zip(ours, theirs, strict=True)
        worst = max(worst, *(np.abs(a.numpy() - b.detach().numpy()).max() for a, b in pairs))
    assert 10 < clipped < 100
    return worst


VALUES = {
    "embeddings/token_embedding/embeddings": (7, 4),
    "embeddings/norm/beta": (4,),
    "transformer_block_0/query/kernel": (4, 5),
    "transformer_block_0/query/bias": (5,),
    "transformer_block_1/output/kernel": (5, 4),
    "transformer_block_1/output_norm/gamma": (4,),
    "logits/kernel": (4, 3),
    "logits/bias": (3,),
}


@pytest.fixture
def values():
    rng = np.random.default_rng(0)
    return {path: rng.normal(0, 0.3, shape).astype("float32") for path, shape in VALUES.items()}


# What divides the layers' rates for torch: the head has all, of two layers the top one 0.8 of it, and so on.
SHARES = [0.8**3, 0.8**3, 0.8**2, 0.8**2, 0.8, 0.8, 1.0, 1.0]
MULTIPLIERS = {"embeddings": 0.8**3, "transformer_block_0": 0.8**2, "transformer_block_1": 0.8}


@pytest.mark.parametrize("multipliers", [None, MULTIPLIERS])
def test_a_hundred_updates_are_torchs(values, multipliers):
    """Decay of some groups, the norm clipped, a schedule, and with a rate for each layer or one for all."""
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    ours = made(values)
    schedule = keras_bert.training.WarmupLinearDecay(1e-2, 100, 10)
    optimizer = adamw(ours, schedule, weight_decay=0.1, rate_multipliers=multipliers)

    theirs = [torch.nn.Parameter(torch.tensor(value, dtype=torch.float64)) for value in values.values()]
    shares = [1.0] * len(theirs) if multipliers is None else SHARES
    groups = [
        {"params": [parameter], "lr": 1e-2 * share, "weight_decay": 0.1 if parameter.ndim == 2 else 0.0}
        for parameter, share in zip(theirs, shares, strict=True)
    ]
    reference = torch.optim.AdamW(groups)
    rates = transformers.get_linear_schedule_with_warmup(reference, 10, 100)

    assert trajectory_error(optimizer, ours, reference, theirs, rates) <= 1e-6
    moved = [np.abs(v.numpy() - values[v.path]).max() for v in ours]
    assert min(moved) > 0.02


def test_an_optimizer_of_a_file_decays_the_same(values):
    """Keras writes down no list of what is excluded."""
    settings = {"weight_decay": 0.1, "rate_multipliers": MULTIPLIERS, "ema_momentum": 0.9}
    first = made(values)
    optimizer = adamw(first, 0.01, **settings)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(optimizer))
    assert again.get_config() == optimizer.get_config()
    second = made(values)
    for variables, each in ((first, optimizer), (second, again)):
        each.apply([tf.zeros(v.shape) for v in variables], variables)
    for path, one, other in zip(values, first, second, strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())
        share = dict(zip(values, SHARES, strict=True))[path] if values[path].ndim == 2 else 0.0
        np.testing.assert_allclose(other.numpy(), values[path] * (1 - 0.01 * 0.1 * share), rtol=1e-6)


def test_what_the_user_excludes_is_excluded(values):
    variables = made(values)
    optimizer = adamw(variables, 0.1, weight_decay=0.1)
    optimizer.exclude_from_weight_decay(var_list=variables[2:])
    optimizer.apply([tf.zeros(v.shape) for v in variables], variables)
    changed = [v.path for v in variables if (v.numpy() != values[v.path]).any()]
    assert changed == list(values)[:2]


def test_rows_of_a_table_train_as_the_whole_of_it(values):
    """A gradient of some rows, which TensorFlow gives for a table, is 0 in the others."""
    path = "embeddings/token_embedding/embeddings"
    results = []
    for dense in (False, True):
        (table,) = made({path: values[path]})
        optimizer = adamw([table], 0.01, global_clipnorm=None)
        for rows in ([1, 4, 1], [0, 4, 2]):
            gradient = tf.IndexedSlices(tf.reshape(tf.range(12.0), (3, 4)), tf.constant(rows), tf.constant([7, 4]))
            optimizer.apply([tf.convert_to_tensor(gradient) if dense else gradient], [table])
        results.append(table.numpy())
    np.testing.assert_allclose(*results, atol=1e-7)


def test_amsgrad_is_keras():
    (ours,), (theirs,) = (made({"kernel": np.ones((2, 3))}) for _ in range(2))
    first, second = AdamW(0.1, amsgrad=True), keras.optimizers.AdamW(0.1, amsgrad=True)
    for gradient in (1.0, 0.1, 0.5):
        first.apply([tf.fill((2, 3), gradient)], [ours])
        second.apply([tf.fill((2, 3), gradient)], [theirs])
    np.testing.assert_allclose(ours.numpy(), theirs.numpy(), atol=1e-7)
