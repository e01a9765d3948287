"""How a task model leaves Python: a SavedModel, and what its operator needs beside it."""

import functools
import os
import types

import tensorflow as tf

from keras_bert.models.weights import weight_values
from keras_bert.presets.atomic import atomic_directory
from keras_bert.serving.examples import EXAMPLES, warm_up_requests
from keras_bert.serving.model_card import write_model_card
from keras_bert.serving.saved_model import is_of_saved_model, write_saved_model
from keras_bert.serving.signatures import Signature
from keras_bert.serving.warm_up import write_warm_up


class Exporting:
    """Exports of a task model, which defines `answers`, of string tensors, and `answer_inputs`, their names."""

    # What an export is asked when it is written.
    examples = types.MappingProxyType(EXAMPLES)

    def export(self, path: str | os.PathLike, **options) -> None:
        """Writes a SavedModel that takes raw strings and gives readable answers, whole or not at all.

        Padding is not computed in it. It holds only operations that every TF Serving since 2.12 knows. Beside it stand
        `model_card.json`: what it is, how it is asked, what it should answer; and, where the extra `serving` is
        installed, the requests with which TF Serving warms up.

        Args:
            path: str or path of the directory, "serving/sentiment/1" for example.
            **options: the task's, of its answers.

        Raises:
            ValueError: the model has no preprocessor, or an operation that older servers do not know.
        """
        if self.preprocessor is None:
            raise ValueError("An export from strings needs a preprocessor. Received: a model without.")
        with atomic_directory(path, replaceable=is_of_saved_model) as directory:
            signatures = self.signatures(**options)
            functions = write_saved_model(directory, signatures, [v.value for v in self.variables])
            specs = signatures["serving_default"].specs
            write_warm_up(directory, warm_up_requests(specs, self.examples, self.preprocessor.sequence_length))
            weights = weight_values(self.named_weights())
            write_model_card(directory, functions, self.examples, weights, self.description())

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
            "compute_dtype": self.compute_dtype,
            "metrics": {name: values[-1] for name, values in history.history.items()} if history else {},
        }
