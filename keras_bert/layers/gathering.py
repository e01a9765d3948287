"""Moves between the real tokens of a batch, `(N, H)`, and their rows: gathers, and gathers back in the gradient."""

import keras
from keras import ops

from keras_bert.layers.unpadding import is_static


def gather_rows(rows, indices):
    """Takes rows by index, none negative."""
    if keras.backend.backend() != "tensorflow":
        return ops.take(rows, indices, axis=0)
    import tensorflow as tf

    return tf.gather(rows, indices)  # `ops.take` first looks through all indices for negative ones


def unpad(x, layout):
    """Takes the real tokens out of a padded batch: `(B, T)` ids to `(N,)`, or `(B, T, H)` to `(N, H)`.

    Args:
        x: tensor `(B, T, ...)`.
        layout: dict of `Unpadding`.

    Returns:
        Tensor `(N, ...)`; `N` is `B * T` in the static form.
    """
    flat = ops.reshape(x, (-1, *x.shape[2:]))
    return flat if is_static(layout) else gather_rows(flat, layout["token_places"])


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


def take_positions(x, layout, positions):
    """Takes some positions of every row: `(N, H)` to `(B * P, H)`.

    Args:
        x: float tensor `(N, H)`.
        layout: dict of `Unpadding`.
        positions: int tensor `(B, P)`.

    Returns:
        Tensor `(B * P, H)`; at padding any finite value.
    """
    places = _places(layout, positions)
    return gather_rows(x, places if is_static(layout) else gather_rows(layout["place_tokens"], places))


def positions_are_real(layout, positions):
    """Tells which of some positions are not padding: bool `(B * P, 1)`, from `positions (B, P)`."""
    return gather_rows(ops.reshape(layout["is_real"], (-1, 1)), _places(layout, positions))


def attention_bias_of(layout, positions):
    """Takes the attention bias of some positions: `(B, 1, P, T)`, from `positions (B, P)`."""
    bias = layout["attention_bias"]
    rows = gather_rows(_as_rows(bias), _places(layout, positions))
    return ops.reshape(rows, (-1, 1, ops.shape(positions)[1], ops.shape(bias)[3]))


def _places(layout, positions):
    """Numbers positions `(B, P)` among all `B * T` places."""
    rows, length = ops.shape(layout["is_real"])
    return ops.reshape(ops.cast(positions, "int32") + ops.expand_dims(ops.arange(rows) * length, 1), (-1,))


def split_heads(x, layout, num_heads, positions=None):
    """Spreads tokens over rows and heads in one pass: `(N, H)` to `(B, heads, T, D)`.

    Args:
        x: float tensor `(N, H)`; `(B * P, H)` with `positions`.
        layout: dict of `Unpadding`.
        num_heads: int.
        positions: int tensor `(B, P)`, optional: `x` is these positions.

    Returns:
        Tensor `(B, heads, T, D)`, `(B, heads, P, D)` with `positions`; at padding any finite value.
    """
    head_dim = x.shape[-1] // num_heads
    if positions is not None or is_static(layout):
        rows, length = ops.shape(layout["is_real"] if positions is None else positions)
        return ops.transpose(ops.reshape(x, (rows, length, num_heads, head_dim)), (0, 2, 1, 3))
    rows = ops.reshape(x, (-1, head_dim))
    return _take_rows(rows, layout["head_rows"], layout["token_rows"])


def merge_heads(x, layout, positions=None):
    """Gathers the tokens back from rows and heads in one pass: `(B, heads, T, D)` to `(N, H)`.

    Args:
        x: float tensor `(B, heads, T, D)`; `(B, heads, P, D)` with `positions`.
        layout: dict of `Unpadding`.
        positions: int tensor `(B, P)`, optional: `x` is these positions.

    Returns:
        Tensor `(N, H)`; `(B * P, H)` with `positions`.
    """
    num_heads, head_dim = x.shape[1], x.shape[3]
    if positions is not None or is_static(layout):
        return ops.reshape(ops.transpose(x, (0, 2, 1, 3)), (-1, num_heads * head_dim))
    # The gradient must be 0 at padding, or it would flow into the keys and values of real tokens.
    keep = ops.expand_dims(ops.expand_dims(layout["is_real"], 1), -1)  # (B, 1, T, 1)
    taken = _take_rows(x, layout["token_rows"], layout["head_rows"], keep)  # (N, heads, D)
    return ops.reshape(taken, (-1, num_heads * head_dim))


def _take_rows(x, forward, backward, keep=None):
    """Takes rows by index; the gradient is another take, as no index that matters comes twice: a scatter is slower."""

    @ops.custom_gradient
    def take(x):
        def gradient(*args, upstream=None):
            upstream = args[0] if upstream is None else upstream
            taken = ops.reshape(gather_rows(_as_rows(upstream), backward), ops.shape(x))
            return taken if keep is None else taken * ops.cast(keep, taken.dtype)

        return gather_rows(_as_rows(x), forward), gradient

    return take(x)


def _as_rows(x):
    return ops.reshape(x, (-1, ops.shape(x)[-1]))
