"""The flags of `pretrain_tpu.py`."""

import argparse
import math

from flags import PRESET, positive_float, positive_int, strategy_flags

import keras_bert

# Without --data.
TRY = {"size": "tiny", "steps": [1200], "row_sizes": [128], "batch_size": 16, "learning_rate": 2e-3}


def pretraining_flags(parser: argparse.ArgumentParser) -> None:
    """Adds the flags of model, task and training.

    Args:
        parser: `argparse.ArgumentParser`.
    """
    add = parser.add_argument_group("model and task").add_argument
    add("--size", choices=keras_bert.SIZES, help="Of a new model. Default: base; without --data tiny.")
    add("--preset", help=f"{PRESET} Its training goes on.")
    add("--dropout", type=float, help="Of the encoder; its preset keeps it. Default: 0.1, or the preset's.")
    add("--next-sentence", choices=("nsp", "sop", "none"), default="nsp", help="Default: nsp, as BERT.")
    add("--mask-unit", choices=("token", "whole_word", "span"), default="token", help="Default: token, as BERT.")
    add("--mask-rate", type=positive_float, default=0.15, help="Share of the tokens. Default: 0.15.")
    add("--short-sequence-probability", type=float, default=0.1, help="Default: 0.1.")
    add = parser.add_argument_group("training").add_argument
    add(
        "--row-sizes",
        type=positive_int,
        nargs="+",
        help="Tokens of a row, a number a phase. Default: 128 512; without --data 128.",
    )
    add("--steps", type=positive_int, nargs="+", help="Updates of each phase. Default: 900000 100000.")
    add(
        "--budget-hours",
        type=positive_float,
        help="Ends after this time, evaluation and earlier runs included, in the place of steps: the learning rate "
        "goes by time, and --steps tells how the phases share it.",
    )
    add("--batch-size", type=positive_int, help="Rows of a step, over all devices. Default: 256.")
    add("--learning-rate", type=positive_float, help="Highest. Default: 1e-4.")
    add("--warmup", type=float, default=0.05, help="Share of all steps in which it rises. Default: 0.05.")
    add("--optimizer", choices=("adamw", "lamb"), default="adamw", help="lamb is for large batches. Default: adamw.")
    add("--weight-decay", type=float, default=0.01, help="Default: 0.01.")
    add("--gradient-accumulation-steps", type=positive_int, default=1, help="Parts of a batch. Default: 1.")
    add("--steps-per-execution", type=positive_int, default=1, help="Steps without Python between. Default: 1.")
    add("--evaluate-every", type=positive_int, help="Steps. Default: a twentieth of all; 1000 with --budget-hours.")
    add("--evaluation-steps", type=positive_int, default=16, help="Batches of an evaluation. Default: 16.")
    add("--minutes-between-saves", type=float, default=10.0, help="Of checkpoints. Default: 10.")
    add(
        "--resume",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="Goes on from the newest checkpoint in --output.",
    )
    add("--jit-compile", action="store_true", help="Compiles the step with XLA.")
    add("--mixed-precision", action="store_true", help="Computes in bfloat16. Default: float32.")
    add("--deterministic", action="store_true", help="The same weights from run to run, a little slower.")
    add("--seed", type=int, default=0, help="Fixes weights, order, masks and dropout. Default: 0.")
    strategy_flags(add, default="auto")
    add("--output", default="output/pretrain", help="Directory for all results. Default: output/pretrain.")


def check_flags(args: argparse.Namespace) -> None:
    """Fills in defaults and refuses what does not fit together.

    Args:
        args: the flags; they are changed.

    Raises:
        ValueError: which flags, and why.
    """
    if args.data is None:
        given = {name for name in TRY if getattr(args, name) is not None}
        vars(args).update({name: value for name, value in TRY.items() if name not in given})
    args.row_sizes = args.row_sizes or [128, 512]
    args.steps = args.steps or [900_000, 100_000][: len(args.row_sizes)]
    args.batch_size = args.batch_size or 256
    args.learning_rate = args.learning_rate or 1e-4
    if args.evaluate_every is None:
        wanted = 1000 if args.budget_hours else math.ceil(sum(args.steps) / 20)
        args.evaluate_every = math.ceil(wanted / args.steps_per_execution) * args.steps_per_execution
    counted = [args.evaluate_every, *([] if args.budget_hours else args.steps)]  # with a budget --steps are shares
    if any(steps % args.steps_per_execution for steps in counted):
        raise ValueError(
            f"--steps-per-execution must divide --evaluate-every and --steps. Received: {args.steps_per_execution}, "
            f"and {', '.join(map(str, counted))}. Take a divisor."
        )
    if len(args.row_sizes) != len(args.steps):
        raise ValueError(
            f"Each phase needs a row size and steps. Received: --row-sizes {args.row_sizes}, --steps {args.steps}."
        )
    if args.preset and args.size:
        raise ValueError("--size is of a new model. Received: --preset too, which has its size. Leave one out.")
