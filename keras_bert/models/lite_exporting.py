"""How a task model leaves for phones and small devices: a LiteRT file, with its tokenizer."""

import contextlib
import os
import pathlib
import tempfile

import keras

from keras_bert.data.inputs import INPUTS
from keras_bert.models.weights import weight_values
from keras_bert.presets.atomic import atomic_directory, atomic_file
from keras_bert.presets.write import FILES
from keras_bert.serving.lite_model import ask_lite_model, lite_differences, pack_lite_model, write_lite_model
from keras_bert.serving.model_card import CARD, write_model_card

_MODEL = "model.tflite"


def export_lite_model(model, path: str | os.PathLike, options: dict) -> None:
    """Writes a LiteRT file from token ids to answers, and the tokenizer, whole or not at all.

    LiteRT has no operations that could tokenize as BERT does, so texts are tokenized before, by what is beside the
    file: a preset without weights. The file is asked the model's examples, and what it answers compared.

    Args:
        model: task model with `ready_answers`.
        path: str or path. Of a directory, which holds `model.tflite`; or of a file, "sentiment.tflite" for example,
            which carries the rest as a zip file does.
        options: dict of name to value, those of a SavedModel: none may be given.

    Raises:
        ValueError: the head is none that can be exported so, there is no preprocessor, an option is given, or answers
            are far from the model's.
    """
    if model.ready_answers is None:
        raise ValueError(
            "LiteRT files are made of BertClassifier, BertEmbedder, BertSpanLabeler and BertTokenClassifier. "
            f"Received: a {type(model).__name__}. Export it as a SavedModel, without `format`."
        )
    if model.preprocessor is None:
        raise ValueError("An export needs a preprocessor, whose tokenizer goes with it. Received: a model without.")
    given = [name for name, value in options.items() if value is not None]
    if given:
        raise ValueError(
            "A LiteRT file has weights of eight bits and answers with the head's numbers. "
            f"Received: {', '.join(given)}. Leave it out, or export a SavedModel, without `format`."
        )
    asked = {name: model.examples[name] for name in model.answer_inputs()}
    inputs = {name: part.numpy() for name, part in model.preprocessor(tuple(map(list, asked.values()))).items()}
    original = {name: keras.ops.convert_to_numpy(part) for name, part in model.ready_answers(inputs).items()}
    # LiteRT computes in float32, and its users ask one row at a time, which has no padding.
    lite_model = model.with_encoder(dtype="float32", unpadding=False)
    with _directory(path) as directory:
        model.save_settings_to_preset(directory)
        function = write_lite_model(directory / _MODEL, lite_model.ready_answers, INPUTS, lite_model.variables)
        answered = ask_lite_model(directory / _MODEL, inputs)
        description = model.description() | {
            "format": "litert",
            "compute_dtype": "float32",
            "weights_dtype": "int8",
            "differs_from": {
                "dtype": model.compute_dtype,
                **lite_differences(original, answered, inputs["padding_mask"] != 0),
            },
        }
        example = {"texts": asked, "inputs": inputs, "outputs": answered}
        weights = weight_values(model.named_weights())
        write_model_card(directory, {"serving_default": function}, example, weights, description)


@contextlib.contextmanager
def _directory(path):
    """Gives the directory to be filled, which becomes the directory or the file that was asked for."""
    if os.fspath(path).endswith(".tflite"):
        with tempfile.TemporaryDirectory() as folder:
            directory = pathlib.Path(folder, "files")
            directory.mkdir()
            yield directory
            with atomic_file(path) as file:
                pack_lite_model(file, directory, _MODEL)
    else:
        with atomic_directory(path, replaceable={*FILES[:-1], _MODEL, CARD}) as directory:
            yield directory
