"""How a task model leaves Python: a SavedModel, and what its operator needs beside it."""

import functools
import os
import types

import tensorflow as tf

from keras_bert.models.lite_exporting import export_lite_model
from keras_bert.models.weights import weight_values
from keras_bert.presets.atomic import atomic_directory
from keras_bert.serving.examples import EXAMPLES
from keras_bert.serving.model_card import asked_example, differences, write_model_card
from keras_bert.serving.operator_files import write_operator_files
from keras_bert.serving.saved_model import is_of_saved_model, write_saved_model
from keras_bert.serving.signatures import Signature

# As Keras names them.
_FORMATS = ("tf_saved_model", "litert")


class Exporting:
    """Exports of a task model, which defines `answers`, of string tensors, and `answer_inputs`, their names."""

    # What an export is asked when it is written.
    examples = types.MappingProxyType(EXAMPLES)
    # A method, of heads whose answers to token ids are numbers alone.
    ready_answers = None

    def export(
        self, path: str | os.PathLike, dtype: str | None = None, format: str = "tf_saved_model", **options
    ) -> None:
        """Writes a SavedModel that takes raw strings and gives readable answers, whole or not at all.

        Padding is not computed in it. It holds only operations that every TF Serving since 2.12 knows. Beside it stand
        `model_card.json`: what it is, how it is asked, what it should answer; a file of settings for batching; and,
        where the extra `serving` is installed, the requests with which TF Serving warms up.

        Or a LiteRT (TensorFlow Lite) file, for phones: a quarter of the size, from token ids; see `export_lite_model`.

        Args:
            path: str or path of the directory, "serving/sentiment/1" for example.
            dtype: str, optional, of a SavedModel. "bfloat16" halves the file, and is faster on processors that know it,
                slower or not possible on others; the card tells how far answers are from this model's. Default: as it
                is.
            format: str, default "tf_saved_model"; or "litert": then the path is that of a directory, or of a file,
                "sentiment.tflite".
            **options: the task's, of a SavedModel's answers.

        Raises:
            ValueError: the model has no preprocessor, an operation that older servers do not know, or a format that
                there is not, or not of this head.
        """
        if format not in _FORMATS:
            raise ValueError(f"`format` must be one of {', '.join(_FORMATS)}. Received: {format!r}.")
        if format == "litert":
            export_lite_model(self, path, {"dtype": dtype, **options})
            return
        if self.preprocessor is None:
            raise ValueError("An export from strings needs a preprocessor. Received: a model without.")
        model = self if dtype is None else self.with_dtype(dtype)
        with atomic_directory(path, replaceable=is_of_saved_model) as directory:
            signatures = model.signatures(**options)
            serving = signatures["serving_default"]
            functions = write_saved_model(directory, signatures, [v.value for v in model.variables])
            write_operator_files(directory, serving.specs, self.examples, self.preprocessor.sequence_length)
            description = self.description() | {"compute_dtype": model.compute_dtype, "oldest_server": "2.12"}
            if model is not self:
                asked = [tf.constant(self.examples[spec.name]) for spec in serving.specs]
                original = self.signatures(**options)["serving_default"].answer(*asked)
                description["differs_from"] = {
                    "dtype": self.compute_dtype,
                    **differences(original, serving.answer(*asked)),
                }
            weights = weight_values(model.named_weights())
            example = asked_example(functions["serving_default"], self.examples)
            write_model_card(directory, functions, example, weights, description)

    def signatures(self, **options) -> dict:
        """Lists the ways to ask an export: dict of name to `Signature`."""
        answers = tf.function(functools.partial(self.answers, **options), autograph=False)
        return {"serving_default": Signature(answers, self.answer_inputs())}

    def description(self) -> dict:
        """Tells what the model is: for the card of an export."""
        history = getattr(self, "history", None)
        return {
            "model": type(self).__name__,
            "head": self.head_config(),
            "encoder": dict(self.encoder.arguments),
            "sequence_length": self.preprocessor.sequence_length,
            "metrics": {name: values[-1] for name, values in history.history.items()} if history else {},
        }
