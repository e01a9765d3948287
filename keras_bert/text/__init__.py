"""From strings to the encoder's inputs, in the TensorFlow graph."""

import keras  # noqa: F401  first, so that the classes register before one of them is half imported
