"""The optimizer of BERT's fine-tuning: AdamW that decays what should be decayed."""

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("keras_bert")
class AdamW(keras.optimizers.AdamW):
    """Keras' AdamW with TensorFlow's fused update: the same formula in one pass over memory instead of many.

    Biases and norms do not decay, unless `exclude_from_weight_decay` says what does not. Variables and files are
    Keras'.

    Args:
        *args: `keras.optimizers.AdamW`'s.
        rate_multipliers: dict of layer name to float, optional. What the learning rate of a layer's variables, and
            with it their decay, is multiplied by: see `layer_rate_multipliers`.
        **kwargs: `keras.optimizers.AdamW`'s.

    Example:
    >>> optimizer = AdamW(5e-5, weight_decay=0.01, global_clipnorm=1.0)

    Reference:
        Loshchilov and Hutter, 2017 (https://arxiv.org/abs/1711.05101).
    """

    def __init__(self, *args, rate_multipliers: dict[str, float] | None = None, **kwargs):
        super().__init__(*args, **kwargs)
        self.rate_multipliers = rate_multipliers

    def build(self, variables):
        if self.built:
            return
        if not hasattr(self, "_exclude_from_weight_decay"):  # from a file: Keras keeps no list of variables there
            self.exclude_from_weight_decay(var_list=[v for v in variables if not is_decayed(v)])
        self._multipliers = multipliers_of(variables, self.rate_multipliers)
        super().build(variables)

    def _apply_weight_decay(self, variables):
        pass  # in `update_step`, at the variable's own rate

    def update_step(self, gradient, variable, learning_rate):
        place = self._get_variable_index(variable)
        learning_rate = tf.cast(learning_rate, variable.dtype) * self._multipliers[place]
        if self._use_weight_decay(variable):
            self.assign_sub(variable, variable * tf.cast(self.weight_decay, variable.dtype) * learning_rate)
        if self.amsgrad:
            super().update_step(gradient, variable, learning_rate)
            return
        step = tf.cast(self.iterations + 1, variable.dtype)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[place].value.handle,
            v=self._velocities[place].value.handle,
            beta1_power=tf.cast(self.beta_1, variable.dtype) ** step,
            beta2_power=tf.cast(self.beta_2, variable.dtype) ** step,
            lr=learning_rate,
            beta1=tf.cast(self.beta_1, variable.dtype),
            beta2=tf.cast(self.beta_2, variable.dtype),
            epsilon=tf.cast(self.epsilon, variable.dtype),
            grad=tf.cast(tf.convert_to_tensor(gradient), variable.dtype),
        )

    def get_config(self):
        multipliers = self.rate_multipliers
        return {**super().get_config(), "rate_multipliers": multipliers and dict(multipliers)}


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


def layer_rate_multipliers(encoder, decay: float) -> dict[str, float]:
    """Gives each of an encoder's layers its share of the learning rate: the lower, the less.

    Args:
        encoder: `BertEncoder`.
        decay: float, above 0, at most 1. The share is `decay` to the power of the layers above: of N layers the top one
            has `decay`, the lowest `decay ** N`, the embeddings `decay ** (N + 1)`. The pooler and the head, which are
            not listed, have the whole rate.

    Returns:
        dict of layer name to float, for the `rate_multipliers` of `adamw` and `Lamb`.

    Raises:
        ValueError: `decay` is not above 0 and at most 1.

    Example:
    >>> encoder = keras_bert.BertEncoder(vocabulary_size=100, **keras_bert.SIZES["tiny"])
    >>> keras_bert.training.layer_rate_multipliers(encoder, 0.5)
    {'embeddings': 0.125, 'transformer_block_0': 0.25, 'transformer_block_1': 0.5}

    Reference:
        Howard and Ruder, 2018 (https://arxiv.org/abs/1801.06146), section 3.2; for BERT: Sun et al., 2019
        (https://arxiv.org/abs/1905.05583), section 5.3.3.
    """
    if not 0 < decay <= 1:
        raise ValueError(
            f"A layer's decay of the rate must be above 0 and at most 1. Received: {decay!r}. 0.9 is usual, 1 is none."
        )
    layers = [encoder.embeddings, *encoder.blocks]
    return {layer.name: decay ** (len(layers) - place) for place, layer in enumerate(layers)}


def multipliers_of(variables, rate_multipliers: dict[str, float] | None) -> list[float]:
    """Looks up by which factor each variable's rate is multiplied: that of the outermost layer it is in.

    Args:
        variables: list of `keras.Variable`.
        rate_multipliers: dict of layer name to float, or None.

    Returns:
        List of float, 1.0 where nothing is said.
    """
    return [(rate_multipliers or {}).get(variable.path.split("/")[0], 1.0) for variable in variables]


def adamw(
    variables,
    learning_rate=5e-5,
    weight_decay: float = 0.01,
    beta_1: float = 0.9,
    beta_2: float = 0.999,
    epsilon: float = 1e-6,
    global_clipnorm: float | None = 1.0,
    rate_multipliers: dict[str, float] | None = None,
    ema_momentum: float | None = None,
) -> keras.optimizers.Optimizer:
    """Makes BERT's AdamW: no decay on biases and norms, gradients clipped by their global norm.

    Args:
        variables: list of `keras.Variable`, the model's trainable ones.
        learning_rate: float or `keras.optimizers.schedules.LearningRateSchedule`, default 5e-5.
        weight_decay: float, default 0.01.
        beta_1: float, default 0.9.
        beta_2: float, default 0.999.
        epsilon: float, default 1e-6. Added before the correction of the first steps, as in BERT's own code, so that
            gradients that are nothing but rounding do not move a weight; at step t it is torch's `eps` of
            `epsilon / sqrt(1 - beta_2 ** t)`.
        global_clipnorm: float, optional, default 1.0.
        rate_multipliers: dict of layer name to float, optional: `layer_rate_multipliers`.
        ema_momentum: float, optional. Of a moving average of the weights, which they are set to when a `fit` ends (not
            so `fit_with_resume`: see there).

    Returns:
        `AdamW`.

    Raises:
        ValueError: `ema_momentum` is not at least 0 and below 1.

    Example:
    >>> classifier.compile(optimizer=keras_bert.training.adamw(classifier.trainable_variables, 3e-5))

    Reference:
        Devlin et al., 2018 (https://arxiv.org/abs/1810.04805), appendix A.2; Loshchilov and Hutter, 2017.
    """
    if ema_momentum is not None and not 0 <= ema_momentum < 1:
        raise ValueError(f"`ema_momentum` must be at least 0 and below 1. Received: {ema_momentum}. Try 0.99.")
    optimizer = AdamW(
        learning_rate,
        weight_decay=weight_decay,
        beta_1=beta_1,
        beta_2=beta_2,
        epsilon=epsilon,
        global_clipnorm=global_clipnorm,
        rate_multipliers=rate_multipliers,
        use_ema=ema_momentum is not None,
        ema_momentum=0.99 if ema_momentum is None else ema_momentum,
    )
    optimizer.exclude_from_weight_decay(var_list=[v for v in variables if not is_decayed(v)])
    return optimizer
