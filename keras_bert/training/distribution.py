"""Distribution strategies by name."""

import functools

import tensorflow as tf


def strategy(name: str = "one") -> tf.distribute.Strategy:
    """Makes the `tf.distribute` strategy of a name; a model built in its `scope()` trains under it.

    Args:
        name: str, default "one": the default device; "mirrored": all GPUs of this machine, or its logical CPUs where
            it was split into several.

    Returns:
        `tf.distribute.Strategy`.

    Raises:
        ValueError: another name, or nothing to mirror over.

    Example:
    >>> with keras_bert.training.strategy("one").scope():
    ...     classifier = keras_bert.BertClassifier.from_preset(preset, num_classes=2)
    """
    if name == "one":
        return tf.distribute.get_strategy()
    if name != "mirrored":
        raise ValueError(f"A strategy must be 'one' or 'mirrored'. Received: {name!r}.")
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    if len(devices) < 2:
        raise ValueError(
            "'mirrored' needs several GPUs, or several logical CPUs. "
            f"Received: {', '.join(device.name for device in devices)}. Use 'one'."
        )
    return _mirrored(tuple(device.name for device in devices))


@functools.cache
def _mirrored(devices):
    # One a process: a second strategy on the same devices counts its collective operations anew, and they clash.
    return tf.distribute.MirroredStrategy(devices)
