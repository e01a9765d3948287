"""Correlation over all examples of an epoch."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("keras_bert")
class PearsonCorrelation(keras.metrics.Metric):
    """Pearson's correlation of values and predictions, over all examples since the last reset.

    Keras' metric of this name correlates within each example, which says nothing of a single value.

    Args:
        name: str, default "pearson".
        dtype: optional. As in `keras.metrics.Metric`.

    Returns:
        `result()`: float scalar in [-1, 1]; 0 where either side is constant.

    Example:
    >>> metric = keras_bert.metrics.PearsonCorrelation()
    >>> metric.update_state([1.0, 2.0, 4.0], [0.1, 0.2, 0.3])
    >>> float(metric.result())
    """

    def __init__(self, name: str = "pearson", dtype=None):
        super().__init__(name=name, dtype=dtype)
        # Sums, not means: they add up over replicas too. Small differences of large sums: in float32 digits are lost.
        self.sums = self.add_variable((6,), initializer="zeros", dtype="float64", name="sums")

    def update_state(self, y_true, y_pred, sample_weight=None):
        x = ops.reshape(ops.cast(y_true, "float64"), (-1,))
        y = ops.reshape(ops.cast(y_pred, "float64"), (-1,))
        w = ops.ones_like(x) if sample_weight is None else ops.reshape(ops.cast(sample_weight, "float64"), (-1,))
        terms = (w, w * x, w * y, w * x * x, w * y * y, w * x * y)
        self.sums.assign_add(ops.stack([ops.sum(term) for term in terms]))

    def result(self):
        n, x, y, xx, yy, xy = (self.sums[i] for i in range(6))
        n = ops.maximum(n, keras.config.epsilon())
        covariance, x_variance, y_variance = xy - x * y / n, xx - x * x / n, yy - y * y / n
        scale = ops.sqrt(ops.maximum(x_variance * y_variance, 0.0))
        # Variances at the level of rounding, of the float32 that values come in, are those of constants.
        constant = ops.logical_or(x_variance <= 1e-6 * xx, y_variance <= 1e-6 * yy)
        ratio = covariance / ops.where(constant, ops.ones_like(scale), scale)
        return ops.cast(ops.where(constant, ops.zeros_like(ratio), ops.clip(ratio, -1.0, 1.0)), self.dtype)

    def get_config(self):
        return {"name": self.name, "dtype": self.dtype}
