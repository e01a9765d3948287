"""Checkpoints and vocabularies: each reader gives `(config, vocabulary, weights)`, the writer takes it."""

from typing import TYPE_CHECKING

from keras_bert import _lazy

if TYPE_CHECKING:
    from keras_bert.presets.atomic import atomic_directory as atomic_directory
    from keras_bert.presets.atomic import atomic_file as atomic_file
    from keras_bert.presets.read import PACKAGED as PACKAGED
    from keras_bert.presets.read import read_preset as read_preset
    from keras_bert.presets.write import write_preset as write_preset
else:
    __getattr__, __dir__, __all__ = _lazy.attach(__name__)
