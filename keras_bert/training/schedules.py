"""Learning-rate schedules: a linear warm-up, and then a fall of one form or another."""

import math

import keras
from keras import ops


class WarmupSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """Base of the schedules: the rise, and where the fall begins. Not made by users; a schedule adds `fall`."""

    def __init__(self, peak: float, total_steps: int, warmup_steps: int = 0, first_step: int = 0):
        if not 0 <= warmup_steps <= total_steps:
            raise ValueError(
                "`warmup_steps` must lie between 0 and `total_steps`. "
                f"Received: warmup_steps={warmup_steps}, total_steps={total_steps}."
            )
        self.peak = peak
        self.total_steps = total_steps
        self.warmup_steps = warmup_steps
        self.first_step = first_step

    def __call__(self, step):
        step = ops.cast(step, "float32") - self.first_step
        rise = ops.clip(step / max(1, self.warmup_steps), 0.0, 1.0)
        return self.peak * ops.where(step < self.warmup_steps, rise, self.fall(step))

    def share_left(self, step):
        """The share of the fall's steps that are to come: 1 at the peak, 0 at the end and after it."""
        return ops.clip((self.total_steps - step) / max(1, self.total_steps - self.warmup_steps), 0.0, 1.0)

    def get_config(self):
        return {
            "peak": self.peak,
            "total_steps": self.total_steps,
            "warmup_steps": self.warmup_steps,
            "first_step": self.first_step,
        }


@keras.saving.register_keras_serializable("keras_bert")
class WarmupLinearDecay(WarmupSchedule):
    """Rises linearly from 0 to the peak, then falls linearly to 0.

    Args:
        peak: float. The highest learning rate.
        total_steps: int. Updates until 0.
        warmup_steps: int, default 0. Updates until the peak.
        first_step: int, default 0. The optimizer's count of updates where the schedule begins.

    Call arguments:
        step: int. The optimizer's count of updates.

    Returns:
        Float scalar; 0 after the last step.

    Raises:
        ValueError: the warm-up is longer than the whole.

    Example:
    >>> schedule = keras_bert.training.WarmupLinearDecay(peak=5e-5, total_steps=100, warmup_steps=10)
    >>> float(schedule(10))
    4.999999873689376e-05

    Reference:
        Devlin et al., 2018 (https://arxiv.org/abs/1810.04805), appendix A.2.
    """

    def fall(self, step):
        return self.share_left(step)


@keras.saving.register_keras_serializable("keras_bert")
class WarmupPolynomialDecay(WarmupSchedule):
    """Rises linearly from 0 to the peak, then falls to 0 as a power of the steps that are left.

    Args:
        peak: float. The highest learning rate.
        total_steps: int. Updates until 0.
        warmup_steps: int, default 0. Updates until the peak.
        first_step: int, default 0. The optimizer's count of updates where the schedule begins.
        power: float, default 2.0. Above 1 it falls fast and then slowly, below 1 slowly and then fast.

    Call arguments:
        step: int. The optimizer's count of updates.

    Returns:
        Float scalar; 0 after the last step.

    Raises:
        ValueError: the warm-up is longer than the whole, or the power is not above 0.

    Example:
    >>> schedule = keras_bert.training.WarmupPolynomialDecay(peak=5e-5, total_steps=110, warmup_steps=10)
    >>> float(schedule(60))
    1.249999968422344e-05

    Reference:
        Chen et al., 2016 (https://arxiv.org/abs/1606.00915), the "poly" policy.
    """

    def __init__(
        self, peak: float, total_steps: int, warmup_steps: int = 0, first_step: int = 0, power: float = 2.0
    ):
        super().__init__(peak, total_steps, warmup_steps, first_step)
        if not power > 0:
            raise ValueError(f"`power` must be above 0. Received: power={power}. 1 is the linear fall.")
        self.power = power

    def fall(self, step):
        return ops.power(self.share_left(step), self.power)

    def get_config(self):
        return {**super().get_config(), "power": self.power}


@keras.saving.register_keras_serializable("keras_bert")
class WarmupCosineDecay(WarmupSchedule):
    """Rises linearly from 0 to the peak, then falls to 0 along half a wave of the cosine.

    Args:
        peak: float. The highest learning rate.
        total_steps: int. Updates until 0.
        warmup_steps: int, default 0. Updates until the peak.
        first_step: int, default 0. The optimizer's count of updates where the schedule begins.

    Call arguments:
        step: int. The optimizer's count of updates.

    Returns:
        Float scalar; 0 after the last step.

    Raises:
        ValueError: the warm-up is longer than the whole.

    Example:
    >>> schedule = keras_bert.training.WarmupCosineDecay(peak=5e-5, total_steps=110, warmup_steps=10)
    >>> float(schedule(60))
    2.4999997549457476e-05

    Reference:
        Loshchilov and Hutter, 2016 (https://arxiv.org/abs/1608.03983), without restarts.
    """

    def fall(self, step):
        # (1 + cos) / 2 of what is over, without the difference of nearly equal numbers at the end.
        return ops.square(ops.sin(math.pi / 2 * self.share_left(step)))


@keras.saving.register_keras_serializable("keras_bert")
class WarmupInverseSquareRootDecay(WarmupSchedule):
    """Rises linearly from 0 to the peak, then falls with the square root of the steps: for trainings without an end.

    Args:
        peak: float. The highest learning rate.
        total_steps: int, optional. Changes nothing: there so that the schedule is made as the others are.
        warmup_steps: int, default 0. Updates until the peak: after four times as many it is at half of that. Without
            a warm-up the peak is the first step, and half of it is reached after 30,000.
        first_step: int, default 0. The optimizer's count of updates where the schedule begins.

    Call arguments:
        step: int. The optimizer's count of updates.

    Returns:
        Float scalar, never 0 after the first step.

    Raises:
        ValueError: the warm-up is longer than the whole.

    Example:
    >>> schedule = keras_bert.training.WarmupInverseSquareRootDecay(peak=1e-3, warmup_steps=100)
    >>> float(schedule(400))
    0.0005000000237487257

    Reference:
        Vaswani et al., 2017 (https://arxiv.org/abs/1706.03762), section 5.3.
    """

    def __init__(
        self, peak: float, total_steps: int | None = None, warmup_steps: int = 0, first_step: int = 0
    ):
        super().__init__(peak, math.inf if total_steps is None else total_steps, warmup_steps, first_step)
        self.total_steps = total_steps

    def fall(self, step):
        scale = self.warmup_steps or 10_000
        return ops.rsqrt(ops.maximum((step - self.warmup_steps) / scale, 0.0) + 1.0)
