"""One step of training, with the same numbers on one device and on many, whole or in parts."""

import types

import keras
import tensorflow as tf

from keras_bert.training.loss_terms import expand
from keras_bert.training.workers import has_workers


class ExactStepModel(keras.Model):
    """A model whose training and test steps are exact under every `tf.distribute` strategy.

    Stock Keras averages per-replica means, clips before the gradients are added up, and cannot accumulate under a
    strategy. Here sums and counts are added up over the replicas, then gradients, which are then clipped, then
    applied. A batch is cut into `gradient_accumulation_steps` parts that are computed one after another: the same
    update from a fraction of the memory, and the schedule counts updates.

    A subclass sets `loss_terms` (see `loss_terms()`) and `gradient_accumulation_steps` when it compiles. Inputs are
    dicts with `padding_mask`, of one row an example or of several: examples of padding only fill a batch up and count
    nowhere. `loss_trackers`, a dict of output name to a metric, tell the losses of single outputs.
    """

    loss_trackers = types.MappingProxyType({})

    def train_step(self, data):
        data = _with_weights(data)
        parts = _split_rows(data, self.gradient_accumulation_steps)
        variables = self.trainable_variables
        gradients, shares, counts = None, 0.0, None
        for x, y, weights in parts:
            with tf.GradientTape() as tape:
                y_pred = self(x, training=True)
                values = self._loss_values(y, y_pred)
                if counts is None:
                    # What sums are divided by depends on the data alone: known before the other parts are computed.
                    counts = _all_reduce(self._counts(data, values))
                share = self._share(values, x, weights, counts, len(parts))
                scaled = self.optimizer.scale_loss(share)
            part = [g if g is None else tf.convert_to_tensor(g) for g in tape.gradient(scaled, variables)]
            gradients = part if gradients is None else _add(gradients, part)
            shares += share
            self._update_metrics(x, y, y_pred, values, weights)
        _apply_gradients(self.optimizer, gradients, variables)
        return self._logs(shares, counts)

    def test_step(self, data):
        x, y, weights = data = _with_weights(data)
        y_pred = self(x, training=False)
        values = self._loss_values(y, y_pred)
        counts = _all_reduce(self._counts(data, values))
        self._update_metrics(x, y, y_pred, values, weights)
        return self._logs(self._share(values, x, weights, counts), counts)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Gives the loss of a batch on one device, by the step's own formula."""
        x, y, weights = data = _with_weights((x, y, sample_weight))
        values = self._loss_values(y, y_pred)
        return self._share(values, x, weights, self._counts(data, values))

    def _loss_values(self, y, y_pred):
        return {
            name: term.values(*((y, y_pred) if name is None else (y[name], y_pred[name])))
            for name, term in self.loss_terms.items()
        }

    def _counts(self, data, values):
        x, _, weights = data
        is_real = _is_real(x)
        return {
            name: term.count(_term_weights(weights, name, is_real), is_real, values[name])
            for name, term in self.loss_terms.items()
        }

    def _share(self, values, x, weights, counts, parts=1):
        """This part's share of the whole batch's loss: the shares of all parts and replicas add up to it."""
        is_real = _is_real(x)
        share = tf.add_n(
            [
                term.share
                * tf.math.divide_no_nan(
                    term.total(values[name], _term_weights(weights, name, is_real)), counts[name]
                )
                for name, term in self.loss_terms.items()
            ]
        )
        return share + tf.add_n(self.losses) / (_replica_count() * parts) if self.losses else share

    def _update_metrics(self, x, y, y_pred, values, weights):
        for name, tracker in self.loss_trackers.items():
            tracker.update_state(values[name], sample_weight=_term_weights(weights, name, _is_real(x)))
        if not self.jit_compile:  # XLA knows no number of rows that depends on the data
            y, y_pred, weights = _real_rows((y, y_pred, weights), _is_real(x))
        self.compute_metrics(x, y, y_pred, weights)

    def _logs(self, share, counts):
        # Weighted by what it was divided by, so that the epoch's loss is the loss over all its examples.
        replicas = _replica_count()
        count = counts[next(iter(counts))]
        for metric in self.metrics:
            if metric.name == "loss":
                metric.update_state(share * replicas, sample_weight=count / replicas)
        logs = self.get_metrics_result()
        if has_workers(tf.distribute.get_strategy()):  # Keras joins their logs along the first axis
            logs = {name: tf.reshape(value, (1,)) for name, value in logs.items()}
        return logs

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        if iterator is not None and has_workers(self.distribute_strategy):
            # Keras' own would take the mean of a batch over the workers, and cannot for dicts: a part is enough.
            batch = next(next(iter(iterator))[-1])
            first = self.distribute_strategy.experimental_local_results
            data_batch, iterator = tf.nest.map_structure(lambda part: first(part)[0], batch), None
        super()._maybe_symbolic_build(iterator, data_batch)


def _with_weights(data):
    x, y, weights = keras.utils.unpack_x_y_sample_weight(data)
    return x, y, tf.ones((tf.shape(x["padding_mask"])[0],)) if weights is None else weights


def _is_real(x):
    mask = x["padding_mask"]  # (B, T), or more dimensions where an example has several rows
    return tf.reduce_any(mask != 0, axis=tuple(range(1, len(mask.shape))))


def _real_rows(data, is_real):
    def chosen():
        return tf.nest.map_structure(lambda t: tf.boolean_mask(t, is_real), data)

    # Most batches are real as a whole: no copy of a vocabulary's logits for them.
    return tf.cond(tf.reduce_all(is_real), lambda: data, chosen)


def _term_weights(weights, name, is_real):
    weights = tf.cast(weights[name] if isinstance(weights, dict) else weights, tf.float32)
    return weights * expand(tf.cast(is_real, tf.float32), weights)


def _replica_count():
    replica = tf.distribute.get_replica_context()
    return replica.num_replicas_in_sync if replica is not None else 1


def _all_reduce(tensors):
    if _replica_count() == 1:
        return tensors
    return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, tensors)


def _split_rows(data, parts):
    if parts == 1:
        return [data]
    rows = tf.shape(data[0]["padding_mask"])[0]
    bounds = [rows * i // parts for i in range(parts + 1)]
    return [
        tf.nest.map_structure(lambda x, low=low, high=high: x[low:high], data)
        for low, high in zip(bounds[:-1], bounds[1:], strict=True)
    ]


def _add(gradients, others):
    return [a if b is None else a + b for a, b in zip(gradients, others, strict=True)]


def _apply_gradients(optimizer, gradients, variables):
    known = [(g, v) for g, v in zip(gradients, variables, strict=True) if g is not None]
    gradients, variables = [g for g, _ in known], [v for _, v in known]
    replicas = _replica_count()
    if replicas > 1:
        # Keras clips what it is given and then adds up over the replicas: it gets equal shares of what is clipped.
        gradients = [g / replicas for g in _clip(optimizer, _all_reduce(gradients))]
    optimizer.apply(gradients, variables)


def _clip(optimizer, gradients):
    # Gradients of a scaled loss are as much larger as it, and so are the bounds; the optimizer inside holds them.
    scale = optimizer.scale_loss(tf.ones(()))
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    if optimizer.global_clipnorm:
        return tf.clip_by_global_norm(gradients, optimizer.global_clipnorm * scale)[0]
    if optimizer.clipnorm:
        return [tf.clip_by_norm(g, optimizer.clipnorm * scale) for g in gradients]
    if optimizer.clipvalue:
        bound = optimizer.clipvalue * scale
        # An overflow stays one: the optimizer leaves the update out, and lowers the scale.
        return [tf.where(tf.math.is_inf(g), g, tf.clip_by_value(g, -bound, bound)) for g in gradients]
    return gradients
