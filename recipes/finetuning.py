"""What the recipes that fine-tune share: one `fit` that keeps the best epoch, and an export that is asked once."""

import argparse
import pathlib
import time

import keras
import plots
import tensorflow as tf
from callbacks import BestPreset, ExamplesPerSecond, tensorboard_logs

import keras_bert

EXAMPLE = """
Ask the SavedModel, in any Python with tensorflow and tensorflow-text:

import tensorflow as tf
import tensorflow_text  # registers the operations of the tokenizer

model = tf.saved_model.load({path!r})
answer = model.signatures["serving_default"]({inputs})
print({{name: value.numpy() for name, value in answer.items()}})
"""
# Without --preset: what the packaged preset, which is small, learns best with.
SMALL_RATE, SMALL_EPOCHS = 1e-3, 8


def preset_of(args: argparse.Namespace) -> str:
    """Names the preset to start from."""
    return args.preset or keras_bert.presets.PACKAGED[0]


def learning_rate(args: argparse.Namespace) -> float:
    """Gives the highest learning rate."""
    return args.learning_rate or (5e-5 if args.preset else SMALL_RATE)


def epochs(args: argparse.Namespace, small_epochs: int = SMALL_EPOCHS) -> int:
    """Gives the passes over the training data; without --epochs and --preset these are `small_epochs`."""
    return args.epochs or (3 if args.preset else small_epochs)


def train(
    model: keras.Model,
    args: argparse.Namespace,
    output: pathlib.Path,
    examples: int,
    monitor: str,
    higher_is_better: bool,
    callbacks=(),
    small_epochs: int = SMALL_EPOCHS,
    **data,
) -> dict:
    """Trains, keeps the preset of the best epoch, and draws the learning curve; of several workers the chief does.

    Args:
        model: a compiled task model.
        args: the flags.
        output: `pathlib.Path`.
        examples: int. Examples of an epoch.
        monitor: str. The name in the logs that decides which epoch is best.
        higher_is_better: bool.
        callbacks: list of Keras callbacks, that add to the logs.
        small_epochs: int, default 8. Epochs without --epochs and --preset.
        **data: `fit`'s `x`, `y`, `validation_data`.

    Returns:
        dict of `history`, `best_epoch` and `seconds_of_training`.
    """
    is_chief = keras_bert.training.is_chief(model.distribute_strategy)
    checkpoints = keras_bert.training.Checkpoints(output / "checkpoints", model, writes=is_chief)
    best = BestPreset(output / "preset", monitor, higher_is_better, writes=is_chief)
    if args.resume:
        data |= {"checkpoint": checkpoints.folder, "save_rule": keras_bert.training.SaveRule(best=monitor)}
    logs = tensorboard_logs(output / "logs" / time.strftime("%Y-%m-%dT%H-%M-%S")) if is_chief else []
    speed = ExamplesPerSecond(examples, args.batch_size)
    started = time.perf_counter()
    history = model.fit(
        epochs=epochs(args, small_epochs),
        batch_size=args.batch_size,
        callbacks=[speed, *callbacks, *logs, *([] if args.resume else [best])],
        **data,
    ).history
    seconds = time.perf_counter() - started
    best_epoch = best.best_epoch
    if args.resume:  # `BestPreset` would have forgotten the epochs of an earlier run
        best_epoch = history[monitor].index(checkpoints.restore_best()[monitor]) + 1
        if is_chief:
            model.save_to_preset(output / "preset")
    if is_chief:
        with keras_bert.presets.atomic_file(output / "learning_curve.png") as new:
            plots.learning_curve(new, history, best_epoch)
    return {"history": history, "best_epoch": best_epoch, "seconds_of_training": seconds}


def export_and_ask(model: keras.Model, output: pathlib.Path, asked: dict[str, str], **options) -> None:
    """Writes the SavedModel, asks it something and prints how to do that.

    Args:
        model: a task model.
        output: `pathlib.Path`.
        asked: dict of input name to text.
        **options: of the export.
    """
    path = str(output / "saved_model" / "1")
    model.export(path, **options)
    signature = tf.saved_model.load(path).signatures["serving_default"]
    answer = signature(**{name: tf.constant([text]) for name, text in asked.items()})
    print(f"The SavedModel to {asked}:")
    print({name: value.numpy().tolist() for name, value in answer.items()})
    inputs = ", ".join(f"{name}=tf.constant([{text!r}])" for name, text in asked.items())
    print(EXAMPLE.format(path=path, inputs=inputs))
