"""A SavedModel in a TF1 session, as TF Serving's C++ loads it, and what may be fed to it."""

import pathlib
import reprlib
from collections.abc import Sequence

import numpy as np
import tensorflow as tf
import tensorflow_text  # noqa: F401  registers its operations

DEFAULT_SIGNATURE = "serving_default"
WARM_UP = pathlib.Path("assets.extra", "tf_serving_warmup_requests")


class RequestError(ValueError):
    """A request that gets no answer.

    Args:
        message: str, in three parts.
        code: int, default `tf.errors.INVALID_ARGUMENT`. TensorFlow, gRPC and TF Serving number them alike.
    """

    def __init__(self, message: str, code: int = tf.errors.INVALID_ARGUMENT):
        # gRPC carries a message in a header, which is short and knows no surrogates.
        super().__init__(message.encode("ascii", "backslashreplace").decode()[:1000])
        self.code = code


def shown(value) -> str:
    """Writes what was received so that it fits into a message, however long it is."""
    return reprlib.repr(value[:100] if isinstance(value, bytes | str) else value)


class ServedModel:
    """One version of a model.

    Args:
        directory: str or path. A version (`sentiment/1`), or the directory of versions: then the highest is served.
        name: str, optional. What clients call it. Default: the name of the directory of versions.

    Raises:
        ValueError: there is no SavedModel that TF Serving would find.
    """

    def __init__(self, directory: str | pathlib.Path, name: str | None = None):
        self.directory = version_directory(pathlib.Path(directory))
        self.version = int(self.directory.name)
        self.name = name or self.directory.parent.name
        self._session = tf.compat.v1.Session(graph=tf.Graph())
        try:
            with self._session.graph.as_default():
                graph = tf.compat.v1.saved_model.loader.load(self._session, ["serve"], str(self.directory))
        except (OSError, RuntimeError, ValueError, tf.errors.OpError) as error:
            self._session.close()
            raise ValueError(
                f"The directory must hold a SavedModel with the tag `serve`. Received: {self.directory}, which cannot "
                f"be loaded: {error}. Export the model again."
            ) from error
        # What a SavedModel is initialized by is no signature for clients.
        self.signatures = {name: each for name, each in graph.signature_def.items() if name != "__saved_model_init_op"}

    def signature(self, name: str):
        """Returns the `SignatureDef` of that name; "" is `serving_default`."""
        name = name or DEFAULT_SIGNATURE
        if name not in self.signatures:
            raise RequestError(
                f"The signature must be one of the model's. Received: signature_name={shown(name)}. "
                f"Use one of {', '.join(sorted(self.signatures))}."
            )
        return self.signatures[name]

    def ask(self, signature, inputs: dict[str, np.ndarray], names: Sequence[str] = ()) -> dict[str, np.ndarray]:
        """Runs the graph once.

        Args:
            signature: `SignatureDef`.
            inputs: dict of input name to array.
            names: sequence of str. The outputs that are wanted, all where it is empty.

        Returns:
            dict of output name to array.

        Raises:
            RequestError: the inputs are not the signature's, or the graph refuses what they hold.
        """
        check_names(signature, inputs)
        for name, array in inputs.items():
            check_array(name, signature.inputs[name], array)
        check_sizes(signature, inputs)
        unknown = sorted(set(names) - set(signature.outputs))
        if unknown:
            raise RequestError(
                f"The outputs asked for must be the signature's. Received: {', '.join(map(shown, unknown[:5]))}. "
                f"Use some of {', '.join(sorted(signature.outputs))}."
            )
        wanted = {name: signature.outputs[name].name for name in names or signature.outputs}
        feed = {signature.inputs[name].name: array for name, array in inputs.items()}
        try:
            return self._session.run(wanted, feed)
        except tf.errors.OpError as error:
            # Before the name of a node stands what is wrong; before that, where the graph was made.
            said = error.message.partition("\n\t [[")[0].rstrip().rpartition("\n")[2]
            raise _refusal(said, error.error_code) from error
        except UnicodeDecodeError as error:  # the message repeats an input that is no UTF-8
            raise _refusal(error.object.decode("utf-8", "replace").splitlines()[0]) from error

    def close(self):
        """Gives the model's memory back."""
        self._session.close()


def _refusal(said: str, code: int = tf.errors.INVALID_ARGUMENT) -> RequestError:
    said = said[:500].rstrip(".")
    return RequestError(
        f"The model must be able to read its inputs. Received: some that it refuses: {said}. Change them.", code
    )


def version_directory(directory: pathlib.Path) -> pathlib.Path:
    """Finds the version to serve, the highest where a directory of versions is given."""
    directory = directory.resolve()
    if (directory / "saved_model.pb").is_file() and directory.name.isdecimal():
        return directory
    versions = [file.parent for file in directory.glob("*/saved_model.pb") if file.parent.name.isdecimal()]
    if not versions:
        raise ValueError(
            "A SavedModel must stand in a directory whose name is its version, as TF Serving demands. "
            f"Received: {directory}, which is none and holds none. Export to {directory / '1'}, or move it there."
        )
    return max(versions, key=lambda version: int(version.name))


def check_names(signature, inputs: dict):
    """Refuses inputs that are missing, or that the signature does not have."""
    if set(inputs) != set(signature.inputs):
        parts = {"missing": set(signature.inputs) - set(inputs), "unknown": set(inputs) - set(signature.inputs)}
        found = [f"{part} {', '.join(map(shown, sorted(names)[:5]))}" for part, names in parts.items() if names]
        raise RequestError(
            f"The inputs must be {', '.join(sorted(signature.inputs))}. Received: {'; '.join(found)}. "
            "Give each input once, by its name."
        )


def check_array(name: str, info, array: np.ndarray):
    """Refuses an array that is not what the signature says of that input: a scalar, for example."""
    if tf.as_dtype(array.dtype) != tf.as_dtype(info.dtype):
        raise RequestError(
            f"Input `{name}` must be of type {tf.as_dtype(info.dtype).name}. Received: "
            f"{tf.as_dtype(array.dtype).name}. Convert it."
        )
    if not tf.TensorShape(info.tensor_shape).is_compatible_with(array.shape):
        sizes = ", ".join("any" if dim.size < 0 else str(dim.size) for dim in info.tensor_shape.dim)
        raise RequestError(
            f"Input `{name}` must be a batch, of shape ({sizes}). Received: "
            f"{f'shape {array.shape}' if array.ndim else 'a scalar'}. Put what is asked into a list, even if it is one."
        )


def check_sizes(signature, inputs: dict[str, np.ndarray]):
    """Refuses batches of unequal size."""
    shapes = {name: signature.inputs[name].tensor_shape for name in inputs}
    sizes = {name: len(inputs[name]) for name, shape in shapes.items() if shape.dim and shape.dim[0].size < 0}
    if len(set(sizes.values())) > 1:
        found = ", ".join(f"{name} {size}" for name, size in sorted(sizes.items()))
        raise RequestError(
            f"All inputs must have as many rows. Received: {found}. Give each input a value for every row."
        )
