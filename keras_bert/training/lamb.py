"""LAMB: Adam whose step is scaled layer by layer, for batches of thousands of rows."""

import keras
from keras import ops

from keras_bert.training.optimizers import is_decayed, multipliers_of


@keras.saving.register_keras_serializable("keras_bert")
class Lamb(keras.optimizers.Optimizer):
    """LAMB as published: the weight decay is inside of what the trust ratio scales.

    Biases and norms are neither decayed nor scaled, as in the original code. `keras.optimizers.Lamb` decays outside,
    and all variables.

    Args:
        learning_rate: float or `keras.optimizers.schedules.LearningRateSchedule`, default 1e-3.
        decay: float, default 0.01. Weight decay.
        beta_1: float, default 0.9.
        beta_2: float, default 0.999.
        epsilon: float, default 1e-6.
        rate_multipliers: dict of layer name to float, optional. What the learning rate of a layer's variables is
            multiplied by: see `layer_rate_multipliers`.
        name: str, default "lamb".
        **kwargs: `keras.optimizers.Optimizer`'s, but `weight_decay`.

    Example:
    >>> pretrainer.compile(keras_bert.training.Lamb(2e-3, global_clipnorm=1.0))

    Reference:
        You et al., 2019 (https://arxiv.org/abs/1904.00962), algorithm 2.
    """

    def __init__(
        self,
        learning_rate=1e-3,
        decay: float = 0.01,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-6,
        rate_multipliers: dict[str, float] | None = None,
        name: str = "lamb",
        **kwargs,
    ):
        if kwargs.pop("weight_decay", None):
            raise ValueError(
                "LAMB decays inside of its trust ratio. Received: weight_decay, which Keras applies outside. "
                "Use decay=..."
            )
        super().__init__(learning_rate=learning_rate, name=name, **kwargs)
        self.decay, self.beta_1, self.beta_2, self.epsilon = decay, beta_1, beta_2, epsilon
        self.rate_multipliers = rate_multipliers

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self._is_decayed = [is_decayed(variable) for variable in variables]
        self._multipliers = multipliers_of(variables, self.rate_multipliers)
        self._momentums, self._velocities = self.add_optimizer_variables(variables, ["momentum", "velocity"])

    def update_step(self, gradient, variable, learning_rate):
        place = self._get_variable_index(variable)
        momentum, velocity = self._momentums[place], self._velocities[place]
        rate, gradient = (ops.cast(value, variable.dtype) for value in (learning_rate, gradient))
        rate = rate * self._multipliers[place]
        step = ops.cast(self.iterations + 1, variable.dtype)
        self.assign_add(momentum, (gradient - momentum) * (1 - self.beta_1))
        self.assign_add(velocity, (ops.square(gradient) - velocity) * (1 - self.beta_2))
        mean = momentum / (1 - ops.power(ops.cast(self.beta_1, variable.dtype), step))
        variance = velocity / (1 - ops.power(ops.cast(self.beta_2, variable.dtype), step))
        update = mean / (ops.sqrt(variance) + self.epsilon)
        if self._is_decayed[place]:
            update = update + self.decay * variable
            size, update_size = (ops.sqrt(ops.sum(ops.square(value))) for value in (variable, update))
            trust = size / ops.where(update_size > 0, update_size, 1.0)
            rate = rate * ops.where((size > 0) & (update_size > 0), trust, 1.0)
        self.assign_sub(variable, rate * update)

    def get_config(self):
        config = super().get_config()
        del config["weight_decay"]
        own = {"decay": self.decay, "beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon}
        return config | own | {"rate_multipliers": self.rate_multipliers and dict(self.rate_multipliers)}
