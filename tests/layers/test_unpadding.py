"""The layout that skips padding: hand-written indices, ways there and back, and their gradients."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_bert.layers.gathering import merge_heads, pad, split_heads, unpad
from keras_bert.layers.unpadding import Unpadding, in_static_context, is_static
from tests.encoders import MASK


def layout_of(mask=MASK, **arguments):
    return Unpadding(**{"num_heads": 3, "unpadding": True} | arguments)(np.asarray(mask))


# ---- The layout


def test_the_layout_of_a_small_batch():
    layout = layout_of([[1, 2, 2, 0], [0, 7, 7, 7], [0, 0, 0, 0]], num_heads=2)
    numbers = {name: value.numpy().tolist() for name, value in layout.items()}
    # Row 1 begins with padding and row 2 is nothing else: their first places are kept all the same.
    assert numbers["token_places"] == [0, 1, 2, 4, 5, 6, 7, 8]
    assert numbers["place_tokens"] == [0, 1, 2, 2, 3, 4, 5, 6, 7, 7, 7, 7]
    assert numbers["is_real"] == [[True, True, True, False], [False, True, True, True], [False] * 4]
    real = np.array(numbers["is_real"])
    assert np.array(numbers["position_ids"])[real].tolist() == [0, 0, 1, 0, 1, 2]
    attend = np.array(numbers["attention_bias"]) == 0
    assert attend.shape == (3, 1, 4, 4)
    assert attend[0, 0, :3].astype(int).tolist() == [[1, 0, 0, 0], [0, 1, 1, 0], [0, 1, 1, 0]]
    assert attend[1, 0, 1:].astype(int).tolist() == [[0, 1, 1, 1]] * 3
    assert (np.array(numbers["attention_bias"])[~attend] <= -1e9).all()
    assert numbers["head_rows"][0] == [[0, 2, 4, 4], [1, 3, 5, 5]]
    assert numbers["head_rows"][1] == [[6, 8, 10, 12], [7, 9, 11, 13]]
    assert numbers["token_rows"] == [[0, 4], [1, 5], [2, 6], [8, 12], [9, 13], [10, 14], [11, 15], [16, 20]]


def test_positions_restart_with_each_value_and_count_on_over_a_hole():
    positions = layout_of()["position_ids"].numpy()
    expected = [
        [0, 1, 2, 3, 4, 5, 6],
        [0, 1, 2, 3, None, None, None],
        [None] * 7,
        [0, 1, 0, 1, 2, 0, None],
        [None, None, 0, 1, 2, None, None],
        [0, 1, None, 3, 4, None, None],
        [None, 0, 1, None, 0, 1, 2],
    ]
    for row, expected_row in zip(positions.tolist(), expected, strict=True):
        assert [p if e is not None else None for p, e in zip(row, expected_row)] == expected_row
    assert positions.min() >= 0
    assert positions.max() <= 6  # at padding too: they are looked up in the static form


def test_the_static_form_has_no_indices_and_the_same_rest():
    skipping, static = layout_of(), layout_of(unpadding=False)
    assert not is_static(skipping)
    assert is_static(static)
    for name in ("token_places", "place_tokens", "head_rows", "token_rows"):
        assert tf.size(static[name]) == 0
    for name in ("position_ids", "is_real", "attention_bias"):
        np.testing.assert_array_equal(static[name], skipping[name])


@pytest.mark.parametrize(("dtype", "lowest"), [("float16", -65504), ("bfloat16", -1e38), ("float32", -1e38)])
def test_masked_scores_are_finite_and_weigh_nothing(dtype, lowest):
    bias = layout_of(dtype=f"mixed_{dtype}" if dtype != "float32" else dtype)["attention_bias"]
    assert bias.dtype == dtype
    masked = tf.reduce_min(tf.cast(bias, "float32"))
    assert lowest < masked < -1e4
    weights = tf.nn.softmax(tf.cast([0.0, masked], dtype))
    assert tf.cast(weights, "float32").numpy().tolist() == [1.0, 0.0]


# ---- Static or not


def test_only_xla_asks_for_the_static_form():
    seen = {}

    def look(name):
        seen[name] = in_static_context(), is_static(Unpadding(3)(tf.constant(MASK)))
        return tf.constant(0)

    look("eager")
    tf.function(lambda: look("graph"))()
    tf.function(lambda: look("xla"), jit_compile=True)()
    tf.function(lambda: tf.function(lambda: look("graph in xla"))(), jit_compile=True)()
    inside = tf.function(lambda: look("xla in graph"), jit_compile=True)
    tf.function(lambda: inside())()
    tf.function(
        lambda: tf.while_loop(lambda i: i < 2, lambda i: (i + look("loop in xla") + 1,), [tf.constant(0)]),
        jit_compile=True,
    )()
    tf.function(lambda: tf.while_loop(lambda i: i < 2, lambda i: (i + look("loop") + 1,), [tf.constant(0)]))()
    assert seen == {
        "eager": (False, False),
        "graph": (False, False),
        "xla": (True, True),
        "graph in xla": (True, True),
        "xla in graph": (True, True),
        "loop in xla": (True, True),
        "loop": (False, False),
    }


def test_without_tensorflows_private_module_the_answer_is_no(monkeypatch):
    from tensorflow.python.ops import control_flow_util

    monkeypatch.delattr(control_flow_util, "GraphOrParentsInXlaContext")
    answers = []
    tf.function(lambda: answers.append(in_static_context()))()
    assert answers == [False]


@pytest.mark.parametrize("unpadding", [True, False])
def test_the_argument_overrides_what_is_found_out(unpadding):
    answers = []
    layer = Unpadding(3, unpadding)
    tf.function(lambda mask: answers.append(is_static(layer(mask))))(tf.constant(MASK))
    answers.append(is_static(layer(MASK)))
    assert answers == [not unpadding] * 2


# ---- There and back


def test_unpad_takes_the_real_tokens_in_order():
    ids = np.arange(12).reshape(3, 4)
    layout = layout_of([[1, 2, 2, 0], [0, 7, 7, 7], [0, 0, 0, 0]])
    assert unpad(ids, layout).numpy().tolist() == [0, 1, 2, 4, 5, 6, 7, 8]
    assert unpad(ids, layout_of(np.ones((3, 4)), unpadding=False)).numpy().tolist() == list(range(12))


@pytest.mark.parametrize("unpadding", [True, False])
def test_pad_puts_tokens_in_their_places_and_0_at_padding(unpadding):
    x = np.random.default_rng(0).normal(size=(7, 7, 12)).astype("float32")
    layout = layout_of(unpadding=unpadding)
    rows = unpad(np.arange(49).reshape(7, 7), layout).numpy()
    padded = pad(tf.constant(x.reshape(49, 12)[rows]), layout)
    np.testing.assert_array_equal(padded, x * (MASK != 0)[..., None])


def test_both_forms_split_heads_and_merge_them_alike():
    x = np.random.default_rng(0).normal(size=(7, 7, 12)).astype("float32")
    expected = x.reshape(7, 7, 3, 4).transpose(0, 2, 1, 3)
    real = (MASK != 0)[:, None, :, None]
    for unpadding in (True, False):
        layout = layout_of(unpadding=unpadding)
        places = unpad(np.arange(49).reshape(7, 7), layout).numpy()
        tokens = tf.constant(x.reshape(49, 12)[places])
        heads = split_heads(tokens, layout, 3)
        assert heads.shape == (7, 3, 7, 4)
        assert np.isfinite(heads).all()
        np.testing.assert_array_equal(heads * real, expected * real)
        merged = merge_heads(tf.constant(expected), layout)
        np.testing.assert_array_equal(merged, tokens)


@pytest.mark.parametrize("unpadding", [True, False])
def test_gradients_are_those_of_plain_gather_and_scatter(unpadding):
    rng = np.random.default_rng(0)
    layout = layout_of(unpadding=unpadding)
    places = unpad(np.arange(49).reshape(7, 7), layout).numpy()
    real_rows = (MASK.reshape(-1) != 0)[places][:, None]
    real = (MASK != 0)[:, None, :, None]
    tokens = tf.constant(rng.normal(size=(len(places), 12)).astype("float32"))
    heads = tf.constant(rng.normal(size=(7, 3, 7, 4)).astype("float32"))

    def gradient(function, x, upstream):
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(function(x) * upstream)
        return tape.gradient(loss, x).numpy()

    upstream = rng.normal(size=(7, 7, 12)).astype("float32")
    expected = upstream.reshape(49, 12)[places] * real_rows
    np.testing.assert_array_equal(gradient(lambda x: pad(x, layout), tokens, upstream), expected)

    # What comes back to a head at padding is 0: nobody attends to it.
    upstream = rng.normal(size=(7, 3, 7, 4)).astype("float32") * real
    expected = upstream.transpose(0, 2, 1, 3).reshape(49, 12)[places]
    np.testing.assert_array_equal(gradient(lambda x: split_heads(x, layout, 3), tokens, upstream), expected)

    upstream = rng.normal(size=tokens.shape).astype("float32") * real_rows
    full = np.zeros((49, 12), "float32")
    full[places] = upstream
    expected = full.reshape(7, 7, 3, 4).transpose(0, 2, 1, 3)
    np.testing.assert_array_equal(gradient(lambda x: merge_heads(x, layout), heads, upstream), expected)


# ---- Shapes and config


@pytest.mark.parametrize("mask", [MASK, MASK[:0], MASK[:1, :1]])
def test_the_promised_shapes_and_types_are_the_real_ones(mask):
    layer = Unpadding(3, dtype="mixed_bfloat16")
    symbolic = layer(keras.Input((None,), dtype="int32"))
    real = layer(mask)
    assert symbolic.keys() == real.keys()
    for name, value in real.items():
        assert value.dtype == symbolic[name].dtype, name
        assert tf.TensorShape(symbolic[name].shape).is_compatible_with(value.shape), name


def test_the_config_holds_every_argument():
    layer = Unpadding(5, False, name="other", dtype="mixed_float16")
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert again.get_config() == layer.get_config()
    assert (again.num_heads, again.unpadding, again.name) == (5, False, "other")
    assert again.dtype_policy.name == "mixed_float16"
