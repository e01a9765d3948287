"""Files of LiteRT (TensorFlow Lite), for phones and small devices: written, asked, and held against the model."""

import os
import pathlib
import warnings
import zipfile
from collections.abc import Callable, Mapping, Sequence

import keras
import numpy as np
import tensorflow as tf

# How far apart numbers may be before a file is refused. Eight bits cost a few hundredths.
_WILD = 0.5
_RULE = "The answers of a LiteRT file must be near the model's."
_REMEDY = "Nothing was written. Look for weights that are not finite or very large, or export a SavedModel."


def write_lite_model(path: pathlib.Path, answer: Callable, inputs: Sequence[str], variables: Sequence):
    """Writes a LiteRT file with large weights in eight bits, the rest in float32, of LiteRT's own operations alone.

    Args:
        path: path of the file.
        answer: callable of a dict of int32 tensors `(B, T)`; gives a dict of tensors.
        inputs: sequence of str, their names.
        variables: sequence of Keras variables, all that the answer reads.

    Returns:
        The concrete function that was converted.

    Reference:
        LiteRT, "Dynamic range quantization".
    """
    values = [variable.value.numpy() for variable in variables]

    def serve(*tensors):
        # Constants in the place of variables: of those the converter makes NaN, and says nothing.
        constants = zip(variables, map(tf.constant, values), strict=True)
        with keras.StatelessScope(state_mapping=list(constants)):
            return answer(dict(zip(inputs, tensors, strict=True)))

    specs = [tf.TensorSpec([None, None], tf.int32, name=name) for name in inputs]
    function = tf.function(serve, input_signature=specs, autograph=False).get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], tf.Module())
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    path.write_bytes(converter.convert())
    return function


def ask_lite_model(path: str | os.PathLike, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Asks a LiteRT file.

    Args:
        path: str or path of the file.
        inputs: dict of int arrays `(B, T)`.

    Returns:
        dict of arrays.
    """
    with warnings.catch_warnings():
        # Of a package that will have the interpreter too; TensorFlow brings this one.
        warnings.filterwarnings("ignore", r"\s*Warning: tf\.lite\.Interpreter is deprecated", UserWarning)
        interpreter = tf.lite.Interpreter(model_path=os.fspath(path))
    runner = interpreter.get_signature_runner("serving_default")
    return runner(**{name: np.asarray(part, "int32") for name, part in inputs.items()})


def lite_differences(answers: Mapping, others: Mapping, is_real: np.ndarray) -> dict:
    """Tells how far a LiteRT file's answers are from the model's.

    Args:
        answers: dict of output name to array, the model's.
        others: dict, the file's.
        is_real: bool array `(B, T)`. Where tokens are; what is said of padding is not looked at.

    Returns:
        dict: `scores`, the largest difference of numbers; `labels`, the share of cases in which another label, or
        place of a span, is the most probable.

    Raises:
        ValueError: a number is none, or so far away that the file must be wrong.
    """
    scores, other_labels = [0.0], [np.zeros(0, bool)]
    for name, ours in answers.items():
        theirs = others[name]
        if ours.shape != theirs.shape:
            raise ValueError(f"{_RULE} Received: `{name}` {theirs.shape} for {ours.shape}. {_REMEDY}")
        if ours.ndim == 3:
            ours, theirs = ours[is_real], theirs[is_real]
        apart = float(np.max(np.abs(ours - theirs), initial=0))  # NaN stays NaN
        # A span's logits are -1e9 at padding, and so never too far apart: their probabilities can be.
        if not apart <= _WILD * max(1.0, float(np.max(np.abs(ours), initial=0))):
            raise ValueError(f"{_RULE} Received: `{name}`, which is {apart} apart. {_REMEDY}")
        scores.append(apart)
        if name.endswith("probabilities"):
            other_labels.append((ours.argmax(-1) != theirs.argmax(-1)).ravel())
    other_labels = np.concatenate(other_labels)
    return {"scores": max(scores), "labels": float(other_labels.mean()) if len(other_labels) else 0.0}


def pack_lite_model(path: str | os.PathLike, directory: pathlib.Path, model: str) -> None:
    """Writes a LiteRT file that carries others behind it, as LiteRT's own tools attach them: it is a zip file too.

    Args:
        path: str or path of the file to write.
        directory: path. What is in it and below goes in.
        model: str, the name of the LiteRT file in it.

    Reference:
        LiteRT, "Adding metadata to LiteRT models", associated files.
    """
    pathlib.Path(path).write_bytes((directory / model).read_bytes())
    with zipfile.ZipFile(path, "a") as attached:
        for file in sorted(directory.rglob("*")):
            if file.is_file() and file.name != model:
                attached.write(file, file.relative_to(directory).as_posix())
