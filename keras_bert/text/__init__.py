"""From strings to the encoder's inputs, in the TensorFlow graph."""

from keras_bert import _lazy

_lazy.require_tensorflow(__name__)
