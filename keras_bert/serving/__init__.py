"""What leaves the library: SavedModels that TF Serving loads."""

from keras_bert import _lazy

_lazy.require_tensorflow(__name__)
