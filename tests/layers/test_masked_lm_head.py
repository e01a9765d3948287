"""The masked-LM head against NumPy, and the precision of its products."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_bert.layers.masked_lm_head import MaskedLMHead

VOCABULARY, WIDTH = 23, 12


def make_head(dtype):
    embedding = keras.layers.ReversibleEmbedding(VOCABULARY, WIDTH, dtype=dtype)
    embedding.build((None,))
    head = MaskedLMHead(embedding, layer_norm_epsilon=1e-7, dtype=dtype)
    head.build((None, WIDTH))
    rng = np.random.default_rng(0)
    for variable in (*head.trainable_variables, *embedding.trainable_variables):
        variable.assign(rng.normal(size=variable.shape))
    return head


def in_numpy(head, hidden):
    arrays = {variable.path.split("/")[-2]: [] for variable in head.trainable_variables}
    for variable in head.trainable_variables:
        arrays[variable.path.split("/")[-2]].append(np.float64(variable.numpy()))
    (kernel, bias), (gamma, beta) = arrays["dense"], arrays["norm"]
    x = hidden @ kernel + bias
    x = x * 0.5 * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))
    centred = x - x.mean(-1, keepdims=True)
    normed = centred / np.sqrt(np.square(centred).mean(-1, keepdims=True) + 1e-7) * gamma + beta
    return normed @ np.float64(head.token_embedding.embeddings.numpy()).T + np.float64(head.bias.numpy())


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("mixed_bfloat16", 0.03)])
def test_its_logits_are_numpys_and_its_products_are_as_precise_as_asked(dtype, tolerance):
    head = make_head(dtype)
    hidden = np.random.default_rng(1).normal(size=(3, 5, WIDTH)).astype("float32")
    called = tf.function(head).get_concrete_function(tf.constant(hidden))
    logits = called(tf.constant(hidden))
    logits = logits[0] if isinstance(logits, (list, tuple)) else logits
    expected = in_numpy(head, hidden.astype("float64"))
    assert logits.dtype == tf.float32
    assert np.abs(logits - expected).max() <= tolerance * np.abs(expected).max()
    products = [op for op in called.graph.get_operations() if "MatMul" in op.type]
    assert len(products) == 2
    assert {op.inputs[0].dtype for op in products} == {tf.as_dtype(head.compute_dtype)}
