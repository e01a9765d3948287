"""BERT in Keras 3 on TensorFlow: pre-train, fine-tune, evaluate and serve it, from raw text to raw text.

Names are imported when they are first used, so `import keras_bert` costs nothing. `BertEncoder`, `SIZES`, `layers`
and `presets` run on every backend of Keras, the rest on TensorFlow.

Shapes in docstrings and comments: B batch, T tokens, H hidden, N heads, D head width, I intermediate,
V vocabulary, P predictions, C classes, W windows.
"""

from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:  # the one list of public names: type checkers read it, and so does `attach`
    from keras_bert import data as data
    from keras_bert import layers as layers
    from keras_bert import metrics as metrics
    from keras_bert import presets as presets
    from keras_bert import serving as serving
    from keras_bert import training as training
    from keras_bert.models.classifier import BertClassifier as BertClassifier
    from keras_bert.models.distillation import BertDistiller as BertDistiller
    from keras_bert.models.embedder import BertEmbedder as BertEmbedder
    from keras_bert.models.encoder import BertEncoder as BertEncoder
    from keras_bert.models.masked_lm import BertMaskedLM as BertMaskedLM
    from keras_bert.models.multiple_choice import BertMultipleChoice as BertMultipleChoice
    from keras_bert.models.pretrainer import BertPretrainer as BertPretrainer
    from keras_bert.models.sizes import SIZES as SIZES
    from keras_bert.models.span_labeler import BertSpanLabeler as BertSpanLabeler
    from keras_bert.models.token_classifier import BertTokenClassifier as BertTokenClassifier
    from keras_bert.text.preprocessor import BertPreprocessor as BertPreprocessor
    from keras_bert.text.tokenizer import BertTokenizer as BertTokenizer
    from keras_bert.text.vocabulary import Vocabulary as Vocabulary
else:
    from keras_bert import _lazy, _registration

    __getattr__, __dir__, __all__ = _lazy.attach(__name__)
    _registration.register_with_keras()
