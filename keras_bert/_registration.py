"""Makes Keras know our classes, so that a `.keras` file loads after `import keras_bert` and nothing else.

Keras finds a saved class only if its module has been imported, and our names are lazy. Importing the modules
with `keras_bert` would import TensorFlow; so they are imported as soon as Keras itself is there.
"""

import contextlib
import importlib
import sys
import warnings

# What these import registers too. tests/test_import.py tells when one is missing.
ANY_BACKEND_MODULES = ("keras_bert.models.encoder",)
TENSORFLOW_MODULES = (
    "keras_bert.text.tokenizer",
    "keras_bert.text.preprocessor",
    "keras_bert.training.lamb",
    "keras_bert.training.optimizers",
    "keras_bert.training.schedules",
    "keras_bert.training.soft_labels",
    "keras_bert.models.classifier",
    "keras_bert.models.distillation",
    "keras_bert.models.embedder",
    "keras_bert.models.masked_lm",
    "keras_bert.models.multiple_choice",
    "keras_bert.models.pretrainer",
    "keras_bert.models.span_labeler",
    "keras_bert.models.token_classifier",
)


def register_with_keras() -> None:
    """Imports the modules that register classes: now if Keras is imported, else right after it is.

    Example:
    >>> register_with_keras()
    """
    if "keras" in sys.modules:
        _import_modules()
    else:
        sys.meta_path.insert(0, _KerasFinder())


def _import_modules():
    import keras

    modules = ANY_BACKEND_MODULES
    if keras.config.backend() == "tensorflow":
        modules += TENSORFLOW_MODULES
    for module in modules:
        try:
            importlib.import_module(module)
        except Exception as error:
            # A fault of ours, or a missing package, must not take Keras away from the user.
            with contextlib.suppress(Warning):
                warnings.warn(
                    f"Keras cannot load saved objects of {module}: {type(error).__name__}: {error}",
                    RuntimeWarning,
                    stacklevel=2,
                )


class _KerasFinder:
    """Waits in `sys.meta_path` for the first import of Keras."""

    def find_spec(self, name, path=None, target=None):
        if name != "keras":
            return None
        for finder in sys.meta_path:
            spec = None if finder is self else finder.find_spec(name, path, target)
            if spec is not None:
                spec.loader = _KerasLoader(spec.loader, self)
                return spec
        return None


class _KerasLoader:
    """Keras' own loader, with one thing more to do."""

    def __init__(self, loader, finder):
        self.loader = loader
        self.finder = finder

    def __getattr__(self, name):
        return getattr(self.loader, name)

    def create_module(self, spec):
        return self.loader.create_module(spec)

    def exec_module(self, module):
        # From here on the module looks as if nobody had waited for it.
        module.__spec__.loader = module.__loader__ = self.loader
        self.loader.exec_module(module)
        if self.finder in sys.meta_path:
            sys.meta_path.remove(self.finder)
        _import_modules()
