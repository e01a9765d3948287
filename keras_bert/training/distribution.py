"""Distribution strategies by name, and the batches of a pre-training under them."""

import functools
import numbers
import os
import signal
import socket
import threading
from collections.abc import Callable

import tensorflow as tf

from keras_bert.training.cluster import host_and_port, read_cluster, wait_for_workers
from keras_bert.training.workers import has_workers

STRATEGIES = ("auto", "one", "mirrored", "multi_worker", "tpu")
_SECONDS_TO_CONNECT = 10


def strategy(name: str = "one", tpu: str = "local", timeout: float = 300.0) -> tf.distribute.Strategy:
    """Makes the `tf.distribute` strategy of a name; a model built in its `scope()` trains under it.

    Args:
        name: str, default "one": the default device; "mirrored": all GPUs of this machine, or its logical CPUs where
            it was split into several; "multi_worker": the machines that the environment's TF_CONFIG lists, asked for
            before TensorFlow computes anything; "tpu"; "auto": "multi_worker" where TF_CONFIG lists several, else
            "tpu" where there is one on this machine, else "mirrored" where there are several GPUs, else "one".
        tpu: str, default "local": the TPU of this machine. Or a TPU's name or address ("grpc://10.0.0.2:8470").
        timeout: float, default 300. Seconds in which all workers of "multi_worker" must have started.

    Returns:
        `tf.distribute.Strategy`.

    Raises:
        ValueError: another name, nothing to mirror over, no TPU, a TF_CONFIG that cannot be used, or a worker that does
            not answer in time: which.

    Example:
    >>> with keras_bert.training.strategy("one").scope():
    ...     classifier = keras_bert.BertClassifier.from_preset(preset, num_classes=2)
    """
    if not isinstance(tpu, str) or not isinstance(timeout, numbers.Real) or not timeout >= 0:
        raise ValueError(
            "`tpu` must be a name or an address, and `timeout` a number of seconds. "
            f"Received: tpu={tpu!r}, timeout={timeout!r}. Use 'local' and 300."
        )
    if name not in STRATEGIES:
        known = ", ".join(map(repr, STRATEGIES))
        raise ValueError(f"A strategy must be one of {known}. Received: {name!r}.")
    if name == "auto":
        name = _best()
    if name == "one":
        return tf.distribute.get_strategy()
    if name == "multi_worker":
        return _multi_worker(os.environ.get("TF_CONFIG"), timeout)
    if name == "tpu":
        return _tpu(tpu)
    gpus = tf.config.list_logical_devices("GPU")
    devices = gpus or tf.config.list_logical_devices("CPU")
    if len(devices) < 2:
        found = f"{'one' if gpus else 'no'} GPU, {devices[0].name}"
        raise ValueError(f"'mirrored' needs several GPUs, or several logical CPUs. Received: {found}. Use 'one'.")
    return _mirrored(tuple(device.name for device in devices))


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Tells whether this process is the one that writes files.

    Args:
        strategy: `tf.distribute.Strategy`.

    Returns:
        bool.
    """
    if not has_workers(strategy):
        return True
    resolver = strategy.cluster_resolver
    first = "chief" if "chief" in resolver.cluster_spec().jobs else "worker"
    return (resolver.task_type, resolver.task_id) == (first, 0)


def distribute_batches(
    strategy: tf.distribute.Strategy, batches: Callable[[int, int], tf.data.Dataset]
) -> tf.data.Dataset | tf.distribute.DistributedDataset:
    """Makes the batches of every host by itself, so that none reads what another one trains on.

    Args:
        strategy: `tf.distribute.Strategy`.
        batches: callable from the number of a host and the number of hosts to the dataset of this host's part of each
            batch: `pretraining_batches(..., host=host, num_hosts=num_hosts)`.

    Returns:
        What `fit` takes under the strategy.

    Example:
    >>> distribute_batches(tf.distribute.get_strategy(), lambda host, num_hosts: tf.data.Dataset.range(4).batch(2))
    """
    if strategy.num_replicas_in_sync == 1:
        return batches(0, 1)

    def of_host(context):
        dataset = batches(context.input_pipeline_id, context.num_input_pipelines)
        replicas = context.num_replicas_in_sync // context.num_input_pipelines
        rows = next(iter(tf.nest.flatten(dataset.element_spec))).shape[0]
        return dataset.rebatch(rows // replicas, drop_remainder=True)

    return strategy.distribute_datasets_from_function(of_host)


@functools.cache
def _mirrored(devices):
    # One a process: a second strategy on the same devices counts its collective operations anew, and they clash.
    return tf.distribute.MirroredStrategy(devices)


@functools.cache
def _tpu(address):
    try:
        if address.startswith("grpc://"):  # TensorFlow would wait for ever
            host, port = host_and_port(address.removeprefix("grpc://"), default=8470)
            socket.create_connection((host, port), timeout=_SECONDS_TO_CONNECT).close()
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(tpu=address)
        tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
    except (OSError, ValueError, tf.errors.OpError) as error:
        raise ValueError(
            f"There must be a TPU at the address. Received: tpu={address!r} ({str(error).splitlines()[0]:.120}). "
            "Give its name or grpc://HOST:PORT; on the machine of a TPU, 'local'."
        ) from error
    return tf.distribute.TPUStrategy(resolver)


@functools.cache
def _multi_worker(tf_config, timeout):
    cluster = read_cluster()
    if cluster is None:
        raise ValueError(
            "'multi_worker' needs the environment variable TF_CONFIG, which lists the workers and tells which one "
            f"this is. Received: TF_CONFIG={tf_config!r}. See tf.distribute's guide."
        )
    wait_for_workers(cluster, timeout)
    handler = signal.getsignal(signal.SIGTERM)
    made = tf.distribute.MultiWorkerMirroredStrategy()
    if handler is not None and threading.current_thread() is threading.main_thread():
        # TensorFlow's server catches SIGTERM and goes on: a worker would outlive what ends the others.
        signal.signal(signal.SIGTERM, handler)
    return made


def _best():
    cluster = read_cluster()
    if cluster is not None and len(cluster.addresses) > 1:
        return "multi_worker"
    if tf.config.list_physical_devices("TPU"):
        return "tpu"
    return "mirrored" if len(tf.config.list_physical_devices("GPU")) > 1 else "one"
