"""BERT's encoder and one model a task."""

import keras  # noqa: F401  first, so that the classes register before one of them is half imported
