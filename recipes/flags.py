"""Flags that the recipes share, and the checks that are worth making before a training."""

import argparse
import os
import pathlib
import secrets
from collections.abc import Callable

import keras_bert

PRESET = "Directory, packaged name, kaggle:// or hf:// address of a pretrained BERT."
RATE = "Highest learning rate: reached after a warm-up, then falling to 0."
RESUME = "Saves the training every ten minutes in --output, and goes on from there when the same is run again."
LENGTH = "Tokens of a row at most."
STRATEGY = "Devices to train on: one, all GPUs of this machine, the workers of TF_CONFIG, a TPU, or the best there is."
OUTPUT = "Directory for all results; files of an earlier run are overwritten."


def training_flags(
    parser: argparse.ArgumentParser, output: str, sequence_length: int = 128, resumes: bool = True
) -> None:
    """Adds the flags of every recipe that trains.

    Args:
        parser: `argparse.ArgumentParser`.
        output: str. The default of `--output`.
        sequence_length: int, default 128. The default of `--sequence-length`.
        resumes: bool, default True. Whether there is a `--resume`.
    """
    add = parser.add_argument_group("training").add_argument
    add("--preset", help=f"{PRESET} Default: {keras_bert.presets.PACKAGED[0]}, a small English one.")
    add("--epochs", type=positive_int, help="Passes over the training data. Default: 3; more without --preset.")
    add("--learning-rate", type=positive_float, help=f"{RATE} Default: 5e-5, without --preset 1e-3.")
    add("--batch-size", type=positive_int, default=32, help="Examples in a step. Default: 32.")
    length = {"type": positive_int, "default": sequence_length}
    add("--sequence-length", **length, help=f"{LENGTH} Default: {sequence_length}.")
    add("--seed", type=int, default=0, help="Fixes weights, order and dropout of the run. Default: 0.")
    add("--mixed-precision", action="store_true", help="Computes in bfloat16. Default: float32.")
    strategy_flags(add, default="one")
    if resumes:
        add("--resume", action="store_true", help=f"{RESUME} Default: it begins anew.")
    else:
        parser.set_defaults(resume=False)
    add("--output", default=output, help=f"{OUTPUT} Default: {output}.")


def strategy_flags(add: Callable, default: str) -> None:
    """Adds the flags that say on which devices a recipe trains.

    Args:
        add: the `add_argument` of a parser or a group.
        default: str. The default of `--strategy`.
    """
    add("--strategy", choices=keras_bert.training.STRATEGIES, default=default, help=f"{STRATEGY} Default: {default}.")
    add("--tpu", help="Name or grpc:// address. Default: local, the TPU of this machine.")


def positive_int(text: str) -> int:
    """Reads a flag that must be a whole number of at least 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, received {text}")
    return number


def positive_float(text: str) -> float:
    """Reads a flag that must be a finite number above 0."""
    number = float(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"must be a finite number above 0, received {text}")
    return number


def fraction(text: str) -> float:
    """Reads a flag that must be a number between 0 and 1."""
    number = float(text)
    if not 0 < number < 1:
        raise argparse.ArgumentTypeError(f"must be between 0 and 1, received {text}")
    return number


def writable_directory(path: str, *parts: str) -> pathlib.Path:
    """Makes a directory and proves that files can be written to it and to its `parts`.

    Args:
        path: str. The directory.
        *parts: str. Directories below it that will be replaced; they need not exist.

    Returns:
        `pathlib.Path` of the directory, absolute.

    Raises:
        ValueError: if it cannot be written to.

    Example:
    >>> writable_directory("output/mine", "preset").name
    'mine'
    """
    directory = pathlib.Path(path).absolute()
    try:
        for folder in (directory, *(directory / part for part in parts)):
            if folder == directory or folder.exists():
                folder.mkdir(parents=True, exist_ok=True)
                # Not os.access, which is wrong on network disks and for root.
                probe = folder / f".probe-{secrets.token_hex(4)}"
                os.close(os.open(probe, os.O_CREAT | os.O_EXCL))
                probe.unlink()
    except OSError as error:
        raise ValueError(
            f"The output must be a directory that can be written to. Received: {str(path)!r} ({error}). "
            "Choose another --output."
        ) from error
    return directory
