"""What a demo asks: a preset, an export, or a model that a server holds, all in the way of an export."""

import json
import pathlib
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import NamedTuple

import numpy as np
import smoke_test
import tensorflow as tf
from json_server import HttpError
from served_model import ServedModel

import keras_bert

TASKS = (
    keras_bert.BertClassifier,
    keras_bert.BertSpanLabeler,
    keras_bert.BertTokenClassifier,
    keras_bert.BertMultipleChoice,
    keras_bert.BertMaskedLM,
    keras_bert.BertEmbedder,
)
ANSWERS = 5  # of a span labeler
# Names of directories that say nothing of what is in them.
_PLAIN_NAMES = ("preset", "saved_model")


class DemoModel(NamedTuple):
    """A model, wherever it runs.

    Attributes:
        name: str. Of its tab.
        head: str. The class of the task, "BertClassifier" for example.
        settings: dict. The head's: labels and the like.
        sequence_length: int. Tokens of its longest row.
        inputs: tuple of str. Names of its inputs.
        examples: list of dict of input name to text, or list of choices. What it may be asked.
        ask: callable. From lists by the names of the inputs to lists by the names of the outputs of an export.
        attributions: callable, optional. What each word adds: a classifier's that runs here.
    """

    name: str
    head: str
    settings: dict
    sequence_length: int
    inputs: tuple[str, ...]
    examples: list[dict]
    ask: Callable
    attributions: Callable | None = None


def of_path(path: str) -> DemoModel:
    """Loads a preset, or an export from its directory.

    Args:
        path: str. A preset as `from_preset` takes it, or the directory of an export or of its versions.

    Returns:
        `DemoModel`.

    Raises:
        ValueError: there is neither, or its head is none that can be asked.
    """
    directory = pathlib.Path(path)
    is_export = any(next(directory.glob(pattern), None) for pattern in ("saved_model.pb", "*/saved_model.pb"))
    return _of_export(directory) if is_export else _of_preset(path)


def of_server(url: str, name: str, card: pathlib.Path) -> DemoModel:
    """Asks a model that TF Serving serves, or what speaks its REST.

    Args:
        url: str. Of the server, "http://127.0.0.1:8501" for example.
        name: str. What the server calls the model.
        card: path of the model card of the version that is served.

    Returns:
        `DemoModel`.

    Raises:
        ValueError: the card is none.
    """
    model = f"{url.rstrip('/')}/v1/models/{name}"
    described = _read_card(card)
    outputs = described["signatures"]["serving_default"]["outputs"]

    def ask(inputs):
        try:
            return smoke_test.ask(model, {"signature": "serving_default", "inputs": inputs, "outputs": outputs})
        except (OSError, ValueError, KeyError) as error:
            raise HttpError(
                HTTPStatus.BAD_GATEWAY,
                f"The server must answer as the model card says. Received from {model}: {error}. Look at its log.",
            ) from error

    return _of_card(name, described, ask)


def _of_preset(preset):
    config, *_ = keras_bert.presets.read_preset(preset, load_weights=False)
    # An encoder of sentence-transformers has no head, and what pre-trains has that of masked words.
    task = {None: "embedder" if "modules" in config else None, "pretrainer": "masked_lm"}.get(
        config.get("task"), config.get("task")
    )
    kind = next((each for each in TASKS if each.preset_task == task), None)
    if kind is None:
        raise ValueError(
            f"The preset must have a head, which answers. Received: {preset!r}, whose head is {task or 'none'}. "
            "Fine-tune it with one of the recipes, then ask what that wrote."
        )
    model = kind.from_preset(preset)
    if model.preprocessor is None:
        raise ValueError(f"The preset must have a vocabulary, to read texts. Received: {preset!r}. Add its vocab.txt.")
    options = {"n_best": ANSWERS} if kind is keras_bert.BertSpanLabeler else {}
    serving = model.signatures(**options)["serving_default"]
    function = serving.function().get_concrete_function()
    names = tuple(spec.name for spec in serving.specs)

    def ask(inputs):
        found = function(*(tf.constant(inputs[name]) for name in names))
        return {name: keras_bert.serving.plain(values.numpy().tolist()) for name, values in found.items()}

    return DemoModel(
        _name_of(pathlib.Path(preset)),
        kind.__name__,
        model.head_config(),
        model.preprocessor.sequence_length,
        names,
        _examples({name: model.examples[name] for name in names}),
        ask,
        model.attributions if kind is keras_bert.BertClassifier else None,
    )


def _of_export(directory):
    model = ServedModel(directory)
    signature = model.signature("")

    def ask(inputs):
        found = model.ask(signature, {name: np.array(texts, object) for name, texts in inputs.items()})
        return {name: keras_bert.serving.plain(values.tolist()) for name, values in found.items()}

    return _of_card(_name_of(model.directory), _read_card(model.directory / keras_bert.serving.CARD), ask)


def _of_card(name, card, ask):
    inputs = tuple(card["signatures"]["serving_default"]["inputs"])
    examples = _examples(card["examples"][0]["inputs"])
    return DemoModel(name, card["model"], card["head"], card["sequence_length"], inputs, examples, ask)


def _read_card(file):
    try:
        card = json.loads(file.read_text(encoding="utf-8"))
        _of_card("", card, None)
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise ValueError(
            f"The card must be the model_card.json of an export. Received: {file}: {error!r}. "
            "Give the one that stands in the directory of the version."
        ) from error
    if card["model"] not in {kind.__name__ for kind in TASKS}:
        raise ValueError(
            f"The model must be one of {', '.join(kind.__name__ for kind in TASKS)}. Received: {card['model']!r} in "
            f"{file}. Ask it with tools/smoke_test.py."
        )
    return card


def _examples(columns: dict[str, Iterable]) -> list[dict]:
    """Turns columns into rows, without those that are empty."""
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return [row for row in rows if all(value and all(value) for value in row.values())]


def _name_of(path):
    """The last part of a path that says something: neither a version nor what any model's directory is called."""
    parts = [part for part in path.parts if not part.isdecimal() and part not in _PLAIN_NAMES and part not in "/."]
    return parts[-1] if parts else path.name
