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


def _take_rows(x, forward, backward, keep=None):
    """Takes rows by index; the gradient is another take, as no index that matters comes twice: a scatter is slower."""

    @ops.custom_gradient
    def take(x):
        def gradient(*args, upstream=None):
            upstream = args[0] if upstream is None else upstream
            taken = ops.reshape(_gather(_as_rows(upstream), backward), ops.shape(x))
            return taken if keep is None else taken * ops.cast(keep, taken.dtype)

        return _gather(_as_rows(x), forward), gradient

    return take(x)


def _gather(rows, indices):
    if keras.backend.backend() != "tensorflow":
        return ops.take(rows, indices, axis=0)
    import tensorflow as tf

    return tf.gather(rows, indices)  # `ops.take` first looks through all indices for negative ones


def _as_rows(x):
    return ops.reshape(x, (-1, ops.shape(x)[-1]))


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


def unpad(x, layout):
    """Takes the real tokens out of a padded batch: `(B, T)` ids to `(N,)`.

    Args:
        x: int tensor `(B, T)`.
        layout: dict of `Unpadding`.

    Returns:
        Tensor `(N,)`; `N` is `B * T` in the static form.
    """
    flat = ops.reshape(x, (-1,))
    return flat if is_static(layout) else ops.take(flat, layout["token_places"], axis=0)


def pad(x, layout):
    """Puts tokens back in their places, with 0 at padding: `(N, H)` to `(B, T, H)`.

    Args:
        x: float tensor `(N, H)`.
        layout: dict of `Unpadding`.

    Returns:
        Tensor `(B, T, H)`.
    """
    shape = ops.shape(layout["is_real"])
    if not is_static(layout):
        x = _take_rows(x, layout["place_tokens"], layout["token_places"])
    x = ops.reshape(x, (shape[0], shape[1], x.shape[-1]))
    return x * ops.cast(ops.expand_dims(layout["is_real"], -1), x.dtype)


def first_tokens(x, layout):
    """Takes the first position of every row: `(N, H)` to `(B, H)`.

    Args:
        x: float tensor `(N, H)`.
        layout: dict of `Unpadding`.

    Returns:
        Tensor `(B, H)`; at padding any finite value.
    """
    rows, length = ops.shape(layout["is_real"])
    places = ops.arange(rows) * length
    return _gather(x, places if is_static(layout) else _gather(layout["place_tokens"], places))


def split_heads(x, layout, num_heads):
    """Spreads tokens over rows and heads in one pass: `(N, H)` to `(B, heads, T, D)`.

    Args:
        x: float tensor `(N, H)`.
        layout: dict of `Unpadding`.
        num_heads: int.

    Returns:
        Tensor `(B, heads, T, D)`; at padding any finite value.
    """
    head_dim = x.shape[-1] // num_heads
    if is_static(layout):
        rows, length = ops.shape(layout["is_real"])
        return ops.transpose(ops.reshape(x, (rows, length, num_heads, head_dim)), (0, 2, 1, 3))
    rows = ops.reshape(x, (-1, head_dim))
    return _take_rows(rows, layout["head_rows"], layout["token_rows"])


def merge_heads(x, layout):
    """Gathers the tokens back from rows and heads in one pass: `(B, heads, T, D)` to `(N, H)`.

    Args:
        x: float tensor `(B, heads, T, D)`.
        layout: dict of `Unpadding`.

    Returns:
        Tensor `(N, H)`.
    """
    num_heads, head_dim = x.shape[1], x.shape[3]
    if is_static(layout):
        return ops.reshape(ops.transpose(x, (0, 2, 1, 3)), (-1, num_heads * head_dim))
    # The gradient must be 0 at padding, or it would flow into the keys and values of real tokens.
    keep = ops.expand_dims(ops.expand_dims(layout["is_real"], 1), -1)  # (B, 1, T, 1)
    taken = _take_rows(x, layout["token_rows"], layout["head_rows"], keep)  # (N, heads, D)
    return ops.reshape(taken, (-1, num_heads * head_dim))
