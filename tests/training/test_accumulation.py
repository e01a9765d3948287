"""Four parts of 8 rows train as a batch of 32: in weights, losses and metrics."""

import numpy as np
import pytest
import tensorflow as tf

from tests.classifiers import VOCABULARY, make_classifier, with_large_weights
from tests.heads import make_pretrainer

ROWS, LENGTH = 32, 14


def ready_inputs(rng):
    lengths = rng.integers(3, LENGTH + 1, ROWS)
    mask = (np.arange(LENGTH) < lengths[:, None]).astype("int32")
    return {
        "token_ids": mask * rng.integers(5, len(VOCABULARY), (ROWS, LENGTH)).astype("int32"),
        "segment_ids": mask * rng.integers(0, 2, (ROWS, LENGTH)).astype("int32"),
        "padding_mask": mask,
    }


def classifier_case(rng):
    weights = rng.uniform(0.1, 3.0, ROWS).astype("float32")
    return make_classifier(num_layers=2), (ready_inputs(rng), rng.integers(0, 2, ROWS), weights)


def pretrainer_case(rng):
    """The parts have other shares of the predictions than of the rows: 0 to 3 of a row count."""
    inputs = ready_inputs(rng)
    inputs["mask_positions"] = rng.integers(0, 3, (ROWS, 3)).astype("int32")
    inputs["cls_positions"] = np.zeros((ROWS, 1), "int32")
    labels = {
        "masked_lm_logits": rng.integers(5, len(VOCABULARY), (ROWS, 3)),
        "next_sentence_logits": rng.integers(0, 2, (ROWS, 1)),
    }
    counts = np.where(np.arange(ROWS) < 8, 3, rng.integers(0, 3, ROWS))
    weights = {
        "masked_lm_logits": (np.arange(3) < counts[:, None]).astype("float32"),
        "next_sentence_logits": np.ones((ROWS, 1), "float32"),
    }
    return with_large_weights(make_pretrainer(), 0.3), (inputs, labels, weights)


@pytest.mark.parametrize("case", [classifier_case, pretrainer_case])
def test_four_parts_of_8_rows_train_as_32(case):
    results = []
    for parts in (1, 4):
        model, batch = case(np.random.default_rng(6))
        before = [v.numpy() for v in model.trainable_variables]
        model.compile(learning_rate=1e-3, warmup=0.0, gradient_accumulation_steps=parts, run_eagerly=True)
        history = model.fit(tf.data.Dataset.from_tensors(batch).repeat(3), verbose=0).history
        assert int(model.optimizer.iterations) == 3
        results.append((history, [v.numpy() for v in model.trainable_variables]))
    (whole, weights), (parts, other_weights) = results
    assert max(np.abs(a - b).max() for a, b in zip(weights, before, strict=True)) > 1e-3
    assert max(np.abs(a - b).max() for a, b in zip(weights, other_weights, strict=True)) <= 1e-6
    assert parts == {name: pytest.approx(values, abs=1e-6) for name, values in whole.items()}
    assert "loss" in whole and any("accuracy" in name for name in whole)
