"""How a task model trains: BERT's defaults, or what the user compiles."""

import numbers

import keras

from keras_bert.data.inputs import check_counts
from keras_bert.training.loss_terms import loss_terms
from keras_bert.training.optimizers import adamw, layer_rate_multipliers
from keras_bert.training.schedules import WarmupLinearDecay
from keras_bert.training.step import ExactStepModel

# The arguments of `compile` that a file keeps beside Keras'.
_KEPT = ("learning_rate", "warmup", "layer_decay", "ema_momentum", "gradient_accumulation_steps")


class CompiledTask(ExactStepModel):
    """What `compile` means for a task model; the task has an `encoder`, `default_losses` and `default_metrics`."""

    def compile(
        self,
        optimizer="auto",
        loss="auto",
        metrics="auto",
        *,
        loss_weights=None,
        weighted_metrics=None,
        learning_rate: float = 5e-5,
        warmup: float = 0.1,
        schedule: type = WarmupLinearDecay,
        layer_decay: float | None = None,
        ema_momentum: float | None = None,
        gradient_accumulation_steps: int = 1,
        jit_compile: bool = False,
        **kwargs,
    ):
        """Sets how the model trains; without arguments as BERT was fine-tuned.

        Args:
            optimizer: "auto", the default: AdamW without decay on biases and norms, clipped at a global norm of 1,
                its rate rising over the first tenth of a `fit` and falling to 0; or any Keras optimizer, to which
                `learning_rate` and what follows up to `ema_momentum` do not apply.
            loss: "auto", the default: the task's; or Keras losses of the logits.
            metrics: "auto", the default: the task's; or a list of Keras metrics of the logits.
            loss_weights: dict or None. Shares of several outputs' losses.
            weighted_metrics: list, optional. Metrics that sample weights act on.
            learning_rate: float, default 5e-5. The automatic optimizer's highest.
            warmup: float, default 0.1. Share of a `fit` in which its rate rises.
            schedule: class, default `keras_bert.training.WarmupLinearDecay`. How its rate goes: each `fit` makes one
                from `peak`, `total_steps`, `warmup_steps` and `first_step`.
            layer_decay: float, optional. Its rate is multiplied by this once for every layer above: the head has the
                whole rate, the embeddings the lowest. Try 0.9.
            ema_momentum: float, optional. Of a moving average of the weights, which they are set to when a `fit` ends;
                with `keras.callbacks.SwapEMAWeights()` evaluations see it before. Try 0.99.
            gradient_accumulation_steps: int, default 1. A batch is computed in so many parts, one after another:
                the same update from a fraction of the memory.
            jit_compile: bool, default False: XLA, with rows of fixed length and padding computed.
            **kwargs: `keras.Model.compile`'s.

        Raises:
            ValueError: for settings that do not fit together.
        """
        check_counts(gradient_accumulation_steps=gradient_accumulation_steps)
        _check_rate(learning_rate, warmup)
        given = {"optimizer": optimizer, "loss": loss, "metrics": metrics}
        self._automatic = {name: isinstance(value, str) and value == "auto" for name, value in given.items()}
        self.learning_rate, self.warmup, self.schedule = learning_rate, warmup, _checked_schedule(schedule)
        self.layer_decay, self.ema_momentum = layer_decay, ema_momentum
        if self._automatic["optimizer"]:
            multipliers = None if layer_decay is None else layer_rate_multipliers(self.encoder, layer_decay)
            # A schedule from the first, so that the optimizer has the same variables before and after a `fit`.
            with self.distribute_strategy.scope():
                optimizer = adamw(
                    self.trainable_variables,
                    schedule(peak=learning_rate, total_steps=1, warmup_steps=0, first_step=0),
                    rate_multipliers=multipliers,
                    ema_momentum=ema_momentum,
                )
        else:
            optimizer = keras.optimizers.get(optimizer)
            if layer_decay is not None or ema_momentum is not None:
                raise ValueError(
                    "`layer_decay` and `ema_momentum` are for the automatic optimizer. "
                    f"Received: layer_decay={layer_decay}, ema_momentum={ema_momentum} and another optimizer. "
                    "Make that one with them: keras_bert.training.adamw(rate_multipliers=..., ema_momentum=...)."
                )
        if getattr(optimizer, "gradient_accumulation_steps", None):
            raise ValueError(
                "Accumulation must be asked for in `compile`, where it is exact. Received: an optimizer with "
                f"gradient_accumulation_steps={optimizer.gradient_accumulation_steps}. "
                "Use compile(gradient_accumulation_steps=...) and a batch_size that counts all parts."
            )
        self.gradient_accumulation_steps = gradient_accumulation_steps
        losses = self.default_losses() if self._automatic["loss"] else loss
        if self._automatic["loss"] and loss_weights is None:
            loss_weights = self.default_loss_weights()
        if self._automatic["metrics"]:
            metrics, weighted_metrics = self.default_metrics(), weighted_metrics or self.default_weighted_metrics()
        self.loss_terms = loss_terms(losses, loss_weights)
        super().compile(
            optimizer=optimizer,
            loss=losses,
            loss_weights=loss_weights,
            metrics=metrics,
            weighted_metrics=weighted_metrics,
            jit_compile=jit_compile,
            **kwargs,
        )

    def check_trains(self) -> None:
        """Refuses to train weights in half precision.

        Raises:
            ValueError: they are not float32.
        """
        if self.dtype_policy.variable_dtype in ("bfloat16", "float16"):
            raise ValueError(
                "Weights must be float32 to train: in fewer digits they do not hold small updates. "
                f"Received: dtype={self.dtype_policy.name!r}. Use 'mixed_{self.dtype_policy.variable_dtype}'."
            )

    def default_loss_weights(self):
        """The shares of several outputs' losses: all whole."""

    def default_weighted_metrics(self):
        """The metrics that sample weights act on: none."""
        return []

    def get_compile_config(self):
        own = {name: "auto" for name, is_auto in self._automatic.items() if is_auto}
        own |= {name: getattr(self, name) for name in _KEPT}
        own["schedule"] = keras.saving.get_registered_name(self.schedule)
        return {**super().get_compile_config(), **own, "has_trained": self.optimizer.built}

    def compile_from_config(self, config):
        config = dict(config)
        has_trained = config.pop("has_trained", True)
        schedule = config.pop("schedule", None)
        config = keras.saving.deserialize_keras_object(config)
        if schedule is not None:
            config["schedule"] = keras.saving.get_registered_object(schedule)
            if config["schedule"] is None:
                raise ValueError(
                    f"A schedule must be known where a model is read. Received: {schedule!r}. Decorate its class with "
                    "keras.saving.register_keras_serializable(), or pass it in `custom_objects`."
                )
        self.compile(**config)
        if has_trained:
            self.optimizer.build(self.trainable_variables)

    def set_schedule(self, steps: int, first_step: int | None = None) -> int:
        """Begins the automatic optimizer's schedule anew.

        Args:
            steps: int. Updates of it.
            first_step: int, optional. The count of updates where it begins; by default where that is now.

        Returns:
            int, the count of updates where it begins.
        """
        warmup_steps = int(self.warmup * steps)
        if first_step is None:
            first_step = int(keras.ops.convert_to_numpy(self.optimizer.iterations.value))
        self.optimizer.learning_rate = self.schedule(
            peak=self.learning_rate, total_steps=steps, warmup_steps=warmup_steps, first_step=first_step
        )
        self.train_function = None  # the old schedule is in its graph
        return first_step


def _check_rate(learning_rate, warmup):
    is_rate = isinstance(learning_rate, numbers.Real) and 0 <= learning_rate < float("inf")
    if not is_rate or not isinstance(warmup, numbers.Real) or not 0 <= warmup <= 1:
        raise ValueError(
            "`learning_rate` must be a finite number of at least 0, and `warmup` a share from 0 to 1. "
            f"Received: learning_rate={learning_rate!r}, warmup={warmup!r}. Use 5e-5 and 0.1, as BERT did."
        )


def _checked_schedule(schedule):
    try:
        is_schedule = issubclass(schedule, keras.optimizers.schedules.LearningRateSchedule)
        schedule(peak=1.0, total_steps=1, warmup_steps=0, first_step=0)
    except TypeError:  # no class, or one that is made of something else
        is_schedule = False
    if not is_schedule:
        raise ValueError(
            "`schedule` must be a class, of which each `fit` makes one from `peak`, `total_steps`, `warmup_steps` and "
            f"`first_step`. Received: {schedule!r}. Use keras_bert.training.WarmupCosineDecay, for example, without "
            "calling it."
        )
    return schedule
