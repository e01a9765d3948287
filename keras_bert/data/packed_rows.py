"""Several examples a row, so that hardly any of a batch is padding."""

import tensorflow as tf


def assign_rows(sizes, row_size: int, max_examples: int):
    """Puts examples into rows, the largest first, each where it leaves the least room.

    Args:
        sizes: int tensor `(E,)`. Tokens of each example, at most `row_size`.
        row_size: int. Tokens of a row.
        max_examples: int. Examples of a row at most.

    Returns:
        Three int tensors `(E,)`: the row of each example, its first position there, and how many stand before it; and
        the number of rows.

    Example:
    >>> rows, positions, places, count = assign_rows(tf.constant([5, 8, 3]), row_size=8, max_examples=4)
    >>> rows.numpy(), positions.numpy(), places.numpy(), int(count)
    (array([1, 0, 1], dtype=int32), array([0, 0, 5], dtype=int32), array([0, 0, 1], dtype=int32), 2)
    """
    sizes = tf.cast(sizes, tf.int32)
    count = tf.size(sizes)
    order = tf.argsort(sizes, direction="DESCENDING", stable=True)
    ordered = tf.gather(sizes, order)
    # What leaves no room for any other has a row of its own; only the rest is worth a search.
    smallest = tf.reduce_min(sizes) if max_examples > 1 else row_size
    alone = tf.reduce_sum(tf.cast(row_size - ordered < smallest, tf.int32))
    rest = count - alone

    def put(at, opened, room, examples, found):
        size = ordered[alone + at]
        # An empty row has the most room, so it is the last choice, and there always is one.
        fits = (room >= size) & (examples < max_examples)
        row = tf.argmin(tf.where(fits, room, row_size + 1), output_type=tf.int32)
        found = found.write(at, tf.stack([alone + row, row_size - room[row], examples[row]]))
        room = tf.tensor_scatter_nd_sub(room, [[row]], [size])
        return (
            at + 1,
            tf.maximum(opened, row + 1),
            room,
            tf.tensor_scatter_nd_add(examples, [[row]], [1]),
            found,
        )

    empty = tf.fill([rest], row_size), tf.zeros([rest], tf.int32)
    found = tf.TensorArray(tf.int32, rest, element_shape=(3,))
    start = (tf.constant(0), tf.constant(0), *empty, found)
    _, opened, _, _, found = tf.while_loop(lambda at, *_: at < rest, put, start)
    firsts = tf.pad(tf.range(alone)[:, tf.newaxis], [[0, 0], [0, 2]])
    found = tf.scatter_nd(order[:, tf.newaxis], tf.concat([firsts, found.stack()], axis=0), [count, 3])
    return *tf.unstack(found, axis=1), alone + opened
