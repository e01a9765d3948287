"""A training by several workers: all compute, the chief alone is heard and leaves files."""

import argparse
import os
import pathlib
import sys
from collections.abc import Callable
from typing import TypeVar

import keras
import tensorflow as tf
from flags import writable_directory

import keras_bert

Made = TypeVar("Made")


def begin(args: argparse.Namespace) -> tf.distribute.Strategy:
    """Makes the strategy, sets the seed, and stops what another worker than the chief prints, but for errors.

    Args:
        args: with `strategy`, `tpu` and `seed`; before TensorFlow computes anything.

    Returns:
        `tf.distribute.Strategy`.

    Raises:
        ValueError: there is no such strategy here: why.
    """
    if args.tpu is not None and args.strategy != "tpu":
        raise ValueError(
            f"--tpu names the TPU of --strategy tpu. Received: --strategy {args.strategy} --tpu {args.tpu}. "
            "Ask for both."
        )
    strategy = keras_bert.training.strategy(args.strategy, args.tpu or "local")
    keras.utils.set_random_seed(args.seed)
    if not keras_bert.training.is_chief(strategy):
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - until the end
    return strategy


def output_directory(strategy: tf.distribute.Strategy, path: str, *parts: str) -> pathlib.Path:
    """Makes the directory of the results, as `writable_directory` does; where this is not the chief, only names it.

    Args:
        strategy: `tf.distribute.Strategy`.
        path: str. The directory.
        *parts: str. Directories below it that will be replaced.

    Returns:
        `pathlib.Path`, absolute.

    Raises:
        ValueError: if the chief cannot write to it.
    """
    if keras_bert.training.is_chief(strategy):
        return writable_directory(path, *parts)
    return pathlib.Path(path).absolute()


def chief_first(strategy: tf.distribute.Strategy, make: Callable[[], Made]) -> Made:
    """Lets the chief make what the others then find made, on a disk that they share, or make on their own.

    Args:
        strategy: `tf.distribute.Strategy`.
        make: callable without arguments.

    Returns:
        What `make` returns.
    """
    is_chief = keras_bert.training.is_chief(strategy)
    made = make() if is_chief else None
    if isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):

        @tf.function
        def meet():
            return strategy.run(lambda: tf.distribute.get_replica_context().all_reduce("SUM", tf.ones([])))

        strategy.experimental_local_results(meet())[0].numpy()
    return made if is_chief else make()
