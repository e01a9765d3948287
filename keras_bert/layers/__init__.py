"""BERT's layers, in `keras.ops` only: they run on every Keras backend."""

import keras  # noqa: F401  first, so that the classes register before one of them is half imported
