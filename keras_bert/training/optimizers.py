"""The optimizer of BERT's fine-tuning: AdamW that decays what should be decayed."""

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("keras_bert")
class AdamW(keras.optimizers.AdamW):
    """Keras' AdamW with TensorFlow's fused update: the same formula in one pass over memory instead of many.

    Arguments, variables and files are Keras'.

    Example:
    >>> optimizer = AdamW(5e-5, weight_decay=0.01, global_clipnorm=1.0)

    Reference:
        Loshchilov and Hutter, 2017 (https://arxiv.org/abs/1711.05101).
    """

    def update_step(self, gradient, variable, learning_rate):
        if self.amsgrad or isinstance(gradient, tf.IndexedSlices):
            super().update_step(gradient, variable, learning_rate)
            return
        place = self._get_variable_index(variable)
        step = tf.cast(self.iterations + 1, variable.dtype)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[place].value.handle,
            v=self._velocities[place].value.handle,
            beta1_power=tf.cast(self.beta_1, variable.dtype) ** step,
            beta2_power=tf.cast(self.beta_2, variable.dtype) ** step,
            lr=tf.cast(learning_rate, variable.dtype),
            beta1=tf.cast(self.beta_1, variable.dtype),
            beta2=tf.cast(self.beta_2, variable.dtype),
            epsilon=tf.cast(self.epsilon, variable.dtype),
            grad=tf.cast(gradient, variable.dtype),
        )


def is_decayed(variable) -> bool:
    """Tells whether weight decay acts on a variable: on matrices, not on biases and norms.

    Decided by the variable's role: Keras' names of norms are `gamma` and `beta`, so that the usual exclusion of
    "LayerNorm" matches nothing.

    Args:
        variable: `keras.Variable`.

    Returns:
        bool.

    Example:
    >>> [v.path for v in encoder.trainable_variables if is_decayed(v)]
    """
    return variable.path.rsplit("/", 1)[-1] not in ("bias", "gamma", "beta")


def adamw(
    variables,
    learning_rate=5e-5,
    weight_decay: float = 0.01,
    beta_1: float = 0.9,
    beta_2: float = 0.999,
    epsilon: float = 1e-6,
    global_clipnorm: float | None = 1.0,
) -> keras.optimizers.Optimizer:
    """Makes BERT's AdamW: no decay on biases and norms, gradients clipped by their global norm.

    Args:
        variables: list of `keras.Variable`, the model's trainable ones.
        learning_rate: float or `keras.optimizers.schedules.LearningRateSchedule`, default 5e-5.
        weight_decay: float, default 0.01.
        beta_1: float, default 0.9.
        beta_2: float, default 0.999.
        epsilon: float, default 1e-6.
        global_clipnorm: float, optional, default 1.0.

    Returns:
        `AdamW`.

    Example:
    >>> classifier.compile(optimizer=keras_bert.training.adamw(classifier.trainable_variables, 3e-5))

    Reference:
        Devlin et al., 2018 (https://arxiv.org/abs/1810.04805), appendix A.2; Loshchilov and Hutter, 2017.
    """
    optimizer = AdamW(
        learning_rate,
        weight_decay=weight_decay,
        beta_1=beta_1,
        beta_2=beta_2,
        epsilon=epsilon,
        global_clipnorm=global_clipnorm,
    )
    optimizer.exclude_from_weight_decay(var_list=[v for v in variables if not is_decayed(v)])
    return optimizer
