"""Public names that are listed once and imported when they are first used (PEP 562)."""

import ast
import importlib
import os
import sys
from collections.abc import Callable

# What runs on every backend of Keras; the rest is TensorFlow's.
ANY_BACKEND = ("keras_bert.layers", "keras_bert.models.encoder", "keras_bert.models.sizes", "keras_bert.presets")


def attach(package: str) -> tuple[Callable, Callable, list[str]]:
    """Gives a package the names that stand under its `if TYPE_CHECKING:`, each imported at its first use.

    Type checkers and editors read that block as the ordinary imports it holds, so one list serves both.

    Args:
        package: str. The `__name__` of the package; call this in its `__init__.py`.

    Returns:
        tuple: the package's `__getattr__`, `__dir__` and `__all__`.

    Example:
    >>> __getattr__, __dir__, __all__ = attach(__name__)
    """
    module = sys.modules[package]
    names = public_names(module.__spec__.loader.get_source(package), package)

    def get(name):
        if name not in names:
            raise AttributeError(f"module {package!r} has no attribute {name!r}", name=name, obj=module)
        origin, attribute = names[name]
        if not origin.startswith(ANY_BACKEND):
            require_tensorflow(f"{package}.{name}")
        value = importlib.import_module(origin)
        if attribute:
            value = getattr(value, attribute)
        setattr(module, name, value)
        return value

    def directory():
        return sorted({*names, *(name for name in vars(module) if name.startswith("__"))})

    return get, directory, list(names)


def public_names(source: str, package: str) -> dict[str, tuple[str, str | None]]:
    r"""Reads what a package's `__init__.py` imports under `if TYPE_CHECKING:`.

    Args:
        source: str. The text of the `__init__.py`.
        package: str. The package's name. What is imported from the package itself is a module.

    Returns:
        dict: for each public name its module, and its name there or `None` where it is the module itself.

    Example:
    >>> public_names("if TYPE_CHECKING:\n    from a.b import C as C\n    from a import d as d", "a")
    {'C': ('a.b', 'C'), 'd': ('a.d', None)}
    """
    names = {}
    for statement in ast.parse(source).body:
        if not (isinstance(statement, ast.If) and getattr(statement.test, "id", None) == "TYPE_CHECKING"):
            continue
        for line in statement.body:
            for alias in line.names:
                if line.module == package:
                    names[alias.name] = f"{package}.{alias.name}", None
                else:
                    names[alias.name] = line.module, alias.name
    return names


def require_tensorflow(name: str) -> None:
    """Raises where Keras runs on another backend than TensorFlow.

    Args:
        name: str. What needs TensorFlow, for the message.

    Raises:
        ImportError: for another backend.

    Example:
    >>> require_tensorflow("keras_bert.BertClassifier")
    """
    backend = os.environ.get("KERAS_BACKEND")
    if "keras" in sys.modules or backend in (None, "", "tensorflow"):
        # Only else: the other backend may not be installed, and then `import keras` fails with less to go by.
        import keras

        backend = keras.config.backend()
    if backend != "tensorflow":
        raise ImportError(
            f"{name} needs the TensorFlow backend of Keras. Received: KERAS_BACKEND={backend}. "
            "Set KERAS_BACKEND=tensorflow before Keras is imported; on other backends use "
            "keras_bert.BertEncoder, keras_bert.layers and keras_bert.presets."
        )
