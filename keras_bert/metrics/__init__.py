"""Scores of predictions against references, as the published evaluations define them."""

from typing import TYPE_CHECKING

from keras_bert import _lazy

_lazy.require_tensorflow(__name__)

if TYPE_CHECKING:
    from keras_bert.metrics.correlation import PearsonCorrelation as PearsonCorrelation
    from keras_bert.metrics.entities import EntityScores as EntityScores
    from keras_bert.metrics.entities import entity_scores as entity_scores
    from keras_bert.metrics.entities import tag_entities as tag_entities
    from keras_bert.metrics.glue import GLUE_LABELS as GLUE_LABELS
    from keras_bert.metrics.glue import glue_scores as glue_scores
    from keras_bert.metrics.scores import accuracy as accuracy
    from keras_bert.metrics.scores import f1 as f1
    from keras_bert.metrics.scores import f1_macro as f1_macro
    from keras_bert.metrics.scores import f1_micro as f1_micro
    from keras_bert.metrics.scores import matthews as matthews
    from keras_bert.metrics.scores import mean_squared_error as mean_squared_error
    from keras_bert.metrics.scores import pearson as pearson
    from keras_bert.metrics.scores import spearman as spearman
    from keras_bert.metrics.squad import SquadScores as SquadScores
    from keras_bert.metrics.squad import squad_questions as squad_questions
    from keras_bert.metrics.squad import squad_scores as squad_scores
else:
    __getattr__, __dir__, __all__ = _lazy.attach(__name__)
