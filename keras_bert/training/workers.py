"""Several processes that train together: the parts that they take, and what they have in common."""

import functools
from collections.abc import Callable

import tensorflow as tf


def has_workers(strategy: tf.distribute.Strategy) -> bool:
    """Tells whether several processes train together.

    Args:
        strategy: `tf.distribute.Strategy`.

    Returns:
        bool.
    """
    return isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)


def distribute_rows(
    strategy: tf.distribute.Strategy, batches: tf.data.Dataset
) -> tf.data.Dataset | tf.distribute.DistributedDataset:
    """Cuts batches that every host makes alike: each replica gets its rows, none is left out or given twice.

    Args:
        strategy: `tf.distribute.Strategy`.
        batches: `tf.data.Dataset` of nested tensors of as many rows, a multiple of the replicas. The same on each host.

    Returns:
        What `fit` takes under the strategy.

    Example:
    >>> distribute_rows(tf.distribute.get_strategy(), tf.data.Dataset.range(4).batch(2))
    """
    if not has_workers(strategy):
        return batches

    def of_host(context):
        replicas = context.num_replicas_in_sync // context.num_input_pipelines
        first = context.input_pipeline_id * replicas

        @tf.autograph.experimental.do_not_convert
        def cut(*batch):
            rows = tf.cast(tf.shape(tf.nest.flatten(batch)[0])[0], tf.int64) // context.num_replicas_in_sync

            def part(replica):
                return tf.nest.map_structure(lambda x: x[replica * rows : (replica + 1) * rows], batch)

            return tf.data.Dataset.range(first, first + replicas).map(part)

        return batches.flat_map(cut).prefetch(replicas)

    return strategy.distribute_datasets_from_function(of_host)


def map_on_workers(strategy: tf.distribute.Strategy, function: Callable, batches: tf.data.Dataset):
    """Computes batches that every worker makes alike, each of them on one worker, and gives all results to all.

    Args:
        strategy: `tf.distribute.MultiWorkerMirroredStrategy`.
        function: callable of a batch; gives nested tensors, of the same sizes for all batches but for the rows.
        batches: `tf.data.Dataset`, not empty.

    Returns:
        Nested arrays, the rows of all batches in order.
    """
    number, count = _place(strategy)
    found = [function(batch) for batch in batches.shard(count, number)]
    rows = [len(tf.nest.flatten(part)[0]) for part in found]
    if not found:  # of the first batch no row: so it knows the other sizes
        found = [tf.nest.map_structure(lambda x: x[:0], function(next(iter(batches))))]
    batch_of_row = tf.repeat(number + count * tf.range(len(rows)), tf.constant(rows, tf.int32))
    order = tf.argsort(_gather(strategy, batch_of_row), stable=True)

    def in_order(*parts):
        return tf.gather(_gather(strategy, tf.concat(parts, 0)), order).numpy()

    return tf.nest.map_structure(in_order, *found)


def sums_over_workers(strategy: tf.distribute.Strategy, values) -> list[float]:
    """Adds up numbers over all workers; each must ask.

    Args:
        strategy: `tf.distribute.MultiWorkerMirroredStrategy`.
        values: floats `(n,)`.

    Returns:
        List of n floats, the same for all.
    """
    return tf.reduce_sum(_gather(strategy, tf.cast(values, tf.float32)[tf.newaxis]), axis=0).numpy().tolist()


def _place(strategy):
    """The number of this worker, the chief first, and how many there are."""
    resolver = strategy.cluster_resolver
    cluster = resolver.cluster_spec()
    chiefs = cluster.num_tasks("chief") if "chief" in cluster.jobs else 0
    workers = cluster.num_tasks("worker") if "worker" in cluster.jobs else 0
    is_worker = resolver.task_type == "worker"
    return (chiefs if is_worker else 0) + (resolver.task_id or 0), max(1, chiefs + workers)


def _gather(strategy, rows):
    """Joins the rows of all workers, of which each may have another number."""
    rows = tf.convert_to_tensor(rows)
    joined = _joined(strategy, rows.dtype, tuple(rows.shape[1:]))(rows)
    return strategy.experimental_local_results(joined)[0]


@functools.cache
def _joined(strategy, dtype, shape):
    """Traced once for any number of rows: all workers must trace alike, or wait for each other without end."""
    per_worker = strategy.num_replicas_in_sync // _place(strategy)[1]

    @tf.function(input_signature=[tf.TensorSpec((None, *shape), dtype)], autograph=False)
    def joined(rows):
        def of_replica():
            context = tf.distribute.get_replica_context()
            speaks = context.replica_id_in_sync_group % per_worker == 0  # the first of each worker
            return context.all_gather(tf.cond(speaks, lambda: rows, lambda: rows[:0]), axis=0)

        return strategy.run(of_replica)

    return joined
