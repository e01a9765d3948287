"""Where the real tokens of a padded batch are, so that padding is not computed."""

import keras
from keras import ops


def in_static_context() -> bool:
    """Tells whether the code being traced will be compiled by XLA, which wants static shapes.

    Keras tells a layer nothing of it, and TensorFlow only through a private module: this is the one place that
    touches it, and without that module the answer is no (pass `unpadding=False` to the encoder there).

    Returns:
        bool.
    """
    if keras.backend.backend() != "tensorflow":
        return True
    try:
        import tensorflow as tf
        from tensorflow.python.ops import control_flow_util

        if tf.executing_eagerly():
            return False
        return bool(control_flow_util.GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph()))
    except (ImportError, AttributeError):
        return False


@keras.saving.register_keras_serializable("keras_bert")
class Unpadding(keras.layers.Layer):
    """Reads a padding mask once a batch and tells every layer where the real tokens are.

    Position-wise work (over 95 % of BERT's arithmetic) is done on `(N, H)`, the `N` real tokens of the batch;
    only attention sees `(B, N heads, T, D)`. Where shapes must be static (XLA, TPU) every place counts as a token
    and `N` is `B * T`: same layers, same numbers.

    Two positions attend to each other if their values in `padding_mask` are equal and not 0, so a row can hold
    several examples (1, 2, 3, ... in runs); position ids restart with each.

    Args:
        num_heads: int. Attention heads of the layers that use the layout.
        unpadding: bool, optional. `None`, the default, skips padding unless XLA compiles the call.
        **kwargs: `keras.layers.Layer`'s.

    Call arguments:
        padding_mask: int or bool tensor `(B, T)`; 0 is padding.

    Returns:
        dict: `position_ids (B, T)`, `is_real (B, T)` bool, `attention_bias (B, 1, T, T)` float, and four lists of
        indices: `token_places (N,)` of each token in `B * T`, `place_tokens (B * T,)` back, `head_rows (B, heads, T)`
        into `(N * heads, D)` and `token_rows (N, heads)` into `(B * heads * T, D)`. The four are empty in the
        static form.

    Example:
    >>> layout = Unpadding(num_heads=3)(np.array([[1, 1, 0, 0], [1, 2, 2, 2]]))
    >>> layout["token_places"].numpy()
    array([0, 1, 4, 5, 6, 7], dtype=int32)
    >>> layout["position_ids"][1].numpy()
    array([0, 0, 1, 2], dtype=int32)
    """

    def __init__(self, num_heads: int, unpadding: bool | None = None, **kwargs):
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.unpadding = unpadding

    def call(self, padding_mask):
        mask = ops.cast(padding_mask, "int32")
        rows, length = ops.shape(mask)
        is_real = mask != 0
        same = ops.expand_dims(mask, 1) == ops.expand_dims(mask, 2)  # (B, T, T)
        attend = ops.logical_and(same, ops.expand_dims(is_real, 1))
        # Finite, so that rows of padding only stay finite; within float16's range.
        masked = -3e4 if self.compute_dtype == "float16" else -1e9
        layout = {
            # Values come in runs, so the first equal position is where the example starts.
            "position_ids": ops.arange(length, dtype="int32")
            - ops.cast(ops.argmax(ops.cast(same, "int8"), axis=-1), "int32"),
            "is_real": is_real,
            "attention_bias": ops.where(
                ops.expand_dims(attend, 1),
                ops.zeros((), self.compute_dtype),
                ops.cast(masked, self.compute_dtype),
            ),
        }
        skip = not in_static_context() if self.unpadding is None else self.unpadding
        return layout | (self._indices(is_real, rows, length) if skip else _no_indices())

    def _indices(self, is_real, rows, length):
        # The first place of every row is kept, also in a row of padding only: `N` is then never 0 where `B` is not.
        kept = ops.reshape(ops.logical_or(is_real, ops.arange(length) == 0), (-1,))
        token_places = ops.cast(ops.nonzero(kept)[0], "int32")
        # Padding points to some token: what is read there is masked or thrown away.
        place_tokens = ops.maximum(ops.cumsum(ops.cast(kept, "int32")) - 1, 0)
        heads = ops.arange(self.num_heads, dtype="int32")
        head_rows = (
            ops.reshape(place_tokens, (rows, 1, length)) * self.num_heads + ops.reshape(heads, (1, -1, 1))
        )
        row, place = token_places // length, token_places % length
        token_rows = (
            ops.expand_dims(row * self.num_heads, 1) + ops.expand_dims(heads, 0)
        ) * length + ops.expand_dims(place, 1)
        return {
            "token_places": token_places,
            "place_tokens": place_tokens,
            "head_rows": head_rows,
            "token_rows": token_rows,
        }

    def compute_output_spec(self, padding_mask):
        rows, length = padding_mask.shape
        int32 = {
            "position_ids": (rows, length),
            "token_places": (None,),
            "place_tokens": (None,),
            "head_rows": (rows, self.num_heads, length),
            "token_rows": (None, self.num_heads),
        }
        return {name: keras.KerasTensor(shape, "int32") for name, shape in int32.items()} | {
            "is_real": keras.KerasTensor((rows, length), "bool"),
            "attention_bias": keras.KerasTensor((rows, 1, length, length), self.compute_dtype),
        }

    def get_config(self):
        return {**super().get_config(), "num_heads": self.num_heads, "unpadding": self.unpadding}


def _no_indices():
    return {
        "token_places": ops.zeros((0,), "int32"),
        "place_tokens": ops.zeros((0,), "int32"),
        "head_rows": ops.zeros((0, 0, 0), "int32"),
        "token_rows": ops.zeros((0, 0), "int32"),
    }


def is_static(layout) -> bool:
    """Tells whether every place counts as a token: the form for XLA, whose lists of indices are empty."""
    return layout["token_places"].shape[0] == 0
