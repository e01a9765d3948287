"""AdamW: torch's numbers, and decay on matrices alone."""

import keras
import numpy as np
import pytest

from keras_bert.training import adamw
from keras_bert.training.optimizers import is_decayed
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


def test_three_updates_are_torchs():
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    values = {"kernel": rng.normal(size=(3, 4)), "bias": rng.normal(size=4), "gamma": rng.normal(size=4)}
    steps = [[rng.normal(size=value.shape) for value in values.values()] for _ in range(3)]
    steps[2] = [gradient / 10 for gradient in steps[2]]  # below the norm that is clipped

    ours = [keras.Variable(value, name=name) for name, value in values.items()]
    # Keras adds epsilon before the correction for the first steps, torch after it: none to speak of here.
    optimizer = adamw(ours, 0.01, weight_decay=0.1, epsilon=1e-12)
    theirs = [torch.nn.Parameter(torch.tensor(value)) for value in values.values()]
    groups = [{"params": theirs[:1], "weight_decay": 0.1}, {"params": theirs[1:], "weight_decay": 0.0}]
    reference = torch.optim.AdamW(groups, lr=0.01, eps=1e-12)
    for gradients in steps:
        optimizer.apply([np.asarray(gradient, "float32") for gradient in gradients], ours)
        for parameter, gradient in zip(theirs, gradients, strict=True):
            parameter.grad = torch.tensor(gradient)
        torch.nn.utils.clip_grad_norm_(theirs, 1.0)
        reference.step()
        for variable, parameter in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(variable.numpy(), parameter.detach().numpy(), atol=1e-6)
