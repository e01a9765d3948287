"""Optimizers, schedules, distribution strategies and checkpoints: what training BERT needs beside a model."""

from typing import TYPE_CHECKING

from keras_bert import _lazy

_lazy.require_tensorflow(__name__)

if TYPE_CHECKING:
    from keras_bert.training.checkpoints import Checkpoints as Checkpoints
    from keras_bert.training.checkpoints import Progress as Progress
    from keras_bert.training.distribution import STRATEGIES as STRATEGIES
    from keras_bert.training.distribution import distribute_batches as distribute_batches
    from keras_bert.training.distribution import is_chief as is_chief
    from keras_bert.training.distribution import strategy as strategy
    from keras_bert.training.lamb import Lamb as Lamb
    from keras_bert.training.optimizers import adamw as adamw
    from keras_bert.training.optimizers import layer_rate_multipliers as layer_rate_multipliers
    from keras_bert.training.resume import fit_with_resume as fit_with_resume
    from keras_bert.training.saving import SaveRule as SaveRule
    from keras_bert.training.schedules import WarmupCosineDecay as WarmupCosineDecay
    from keras_bert.training.schedules import WarmupInverseSquareRootDecay as WarmupInverseSquareRootDecay
    from keras_bert.training.schedules import WarmupLinearDecay as WarmupLinearDecay
    from keras_bert.training.schedules import WarmupPolynomialDecay as WarmupPolynomialDecay
    from keras_bert.training.soft_labels import SoftLabelLoss as SoftLabelLoss
    from keras_bert.training.time_budget import TimeBudget as TimeBudget
else:
    __getattr__, __dir__, __all__ = _lazy.attach(__name__)
