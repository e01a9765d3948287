"""The learning-rate schedule of BERT's fine-tuning."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("keras_bert")
class WarmupLinearDecay(keras.optimizers.schedules.LearningRateSchedule):
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
        rising = step / max(1, self.warmup_steps)
        falling = (self.total_steps - step) / max(1, self.total_steps - self.warmup_steps)
        return self.peak * ops.clip(ops.where(step < self.warmup_steps, rising, falling), 0.0, 1.0)

    def get_config(self):
        return {
            "peak": self.peak,
            "total_steps": self.total_steps,
            "warmup_steps": self.warmup_steps,
            "first_step": self.first_step,
        }
