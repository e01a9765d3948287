"""From a user's examples to batches."""

from keras_bert import _lazy

_lazy.require_tensorflow(__name__)
