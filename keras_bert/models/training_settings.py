"""What must not change in a training that is interrupted and gone on with."""

import json

import keras

from keras_bert.data.fingerprint import fingerprint

# What differs from process to process, or is restored.
_PASSED_OVER = ("module", "registered_name", "build_config", "name", "first_step")


def training_settings(model: keras.Model) -> dict:
    """Describes a compiled task model: its head, encoder, texts, precision, losses and optimizer.

    Args:
        model: a task model.

    Returns:
        dict of path ("optimizer/config/epsilon") to JSON value.

    Raises:
        ValueError: an optimizer, or its schedule, that cannot be described.
    """
    settings = {
        "model": type(model).__name__,
        "dtype": model.dtype_policy.name,
        "encoder": {**model.encoder.arguments},
        "gradient_accumulation_steps": model.gradient_accumulation_steps,
        "loss": {str(name): _serialized(term.loss) for name, term in model.loss_terms.items()},
        "loss_weights": {str(name): term.share for name, term in model.loss_terms.items()},
    }
    if hasattr(model, "head_config"):
        settings["head"] = model.head_config()
    preprocessor = getattr(model, "preprocessor", None)
    if preprocessor is not None:
        tokenizer = json.dumps(preprocessor.tokenizer.get_config(), sort_keys=True, default=str)
        settings |= {"sequence_length": preprocessor.sequence_length, "tokenizer": fingerprint([tokenizer])}
    try:
        settings["optimizer"] = keras.saving.serialize_keras_object(model.optimizer)
    except NotImplementedError as error:
        raise ValueError(
            "To go on as it began, a training needs an optimizer and a schedule that tell their settings. "
            f"Received: {type(model.optimizer).__name__} with one that does not ({error}). Give it a `get_config`."
        ) from error
    return dict(_flat(settings, ""))


def _serialized(loss):
    try:
        return keras.saving.serialize_keras_object(loss)
    except (NotImplementedError, TypeError, ValueError):  # a user's own, of which the name must do
        return type(loss).__name__


def _flat(settings, path):
    for name, value in settings.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{path}{name}/")
        elif name not in _PASSED_OVER:
            yield path + str(name), value
