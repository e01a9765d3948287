"""Plans the memory of training: what weights, gradients, optimizer and activations take, and the largest batch.

    python tools/plan_memory.py --size base --rows 16 --tokens 128 --memory 16GB
    python tools/plan_memory.py --preset my_preset --task masked_lm --precision bfloat16 --rematerialize

Counts the tensors that TensorFlow keeps from the forward pass for the gradients, of rows without padding, outside of
XLA. Of each block: what enters it; query, key and value; the softmax, its mask of dropout and their product; what
enters the attention's output; two masks of dropout; of each norm, in float32, the centred vectors and their scales,
and what comes out; of GELU, in float32, its three factors, and what comes out. In bfloat16 also the weights' copies.
With --rematerialize what enters each block, and all of one block. A classifier's last block computes one position.

A step's peak is where the gradients begin (all activations, and the gradient of the widest tensor) or where they end
(all gradients, and the update of the largest weight), whichever is more. What Python, TensorFlow and the traced step
take is --runtime. With --measure one step is trained, and its peak of resident memory compared with the plan.
"""

import argparse
import pathlib
import re
import sys

from benchmark_records import answer, run_worker
from peak_memory import peak_bytes

TASKS = ("classifier", "token_classifier", "span_labeler", "multiple_choice", "masked_lm", "embedder")
SLOTS = {"adamw": 2, "lamb": 2, "sgd": 0}
UNITS = "KMGT"


def main(argv: list[str] | None = None) -> dict:
    """Prints the plan and returns it."""
    argv = list(sys.argv[1:] if argv is None else argv)
    parser = build_parser()
    args = parser.parse_args(argv)
    try:
        memory, runtime = (None if text is None else bytes_of(text) for text in (args.memory, args.runtime))
        sizes = sizes_of(args)
        if args.tokens > sizes["max_sequence_length"]:
            raise ValueError(
                f"A row must fit into the position table. Received: --tokens {args.tokens}, of at most "
                f"{sizes['max_sequence_length']}. Take fewer."
            )
    except ValueError as error:
        parser.error(str(error))
    if args.worker:
        return answer(args, {"step": measured(args, sizes)})
    settings = {name: getattr(args, name) for name in ("task", "precision", "optimizer", "rematerialize")}
    found = plan(sizes, rows=args.rows, tokens=args.tokens, **settings)
    found["runtime"] = runtime
    found["total"] = runtime + sum(found[name] for name in ("weights", "slots", "step"))
    print(f"{args.task}, {args.rows} x {args.tokens} tokens, {args.precision}, {args.optimizer}")
    for name in ("weights", "slots", "gradients", "activations", "step", "runtime", "total"):
        print(f"{name:<12} {found[name] / 1e9:8.3f} GB")
    if memory is not None:
        found["largest"] = largest_rows(sizes, memory - runtime, args.tokens, **settings)
        print(f"largest batch in {args.memory}: {found['largest']} rows of {args.tokens} tokens")
        if not found["largest"]:
            least = plan(sizes, rows=1, tokens=args.tokens, **settings)
            needed = runtime + sum(least[name] for name in ("weights", "slots", "step"))
            print(f"A row alone takes {needed / 1e9:.3f} GB: try --rematerialize, or bfloat16.")
    if args.measure:
        found["measured"] = run_worker(__file__, argv, "keras_bert")["step"]
        share = found["step"] / found["measured"]
        print(f"measured     {found['measured'] / 1e9:8.3f} GB a step; planned / measured {share:.2f}")
    return found


def build_parser() -> argparse.ArgumentParser:
    """Returns the parser of this tool's flags."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--size", default="base", help="A name of keras_bert.SIZES. Default: base.")
    add("--preset", help="A preset, in the place of --size.")
    add("--task", choices=TASKS, default="classifier", help="Default: classifier.")
    add("--rows", type=positive_int, default=32, help="Of a batch or a part of it; each choice is one. Default: 32.")
    add("--tokens", type=positive_int, default=128, help="Of a row. Default: 128.")
    add("--precision", choices=("float32", "bfloat16", "float16"), default="float32", help="Default: float32.")
    add("--optimizer", choices=tuple(SLOTS), default="adamw", help="Default: adamw.")
    add("--rematerialize", action="store_true", help="BertEncoder(rematerialize=True).")
    add("--memory", help="16GB, for example: the largest batch for it.")
    add("--runtime", default="1GB", help="Of Python, TensorFlow and the traced step. Default: 1GB.")
    add("--measure", action="store_true", help="Train a step of a classifier, and compare.")
    add("--worker", help=argparse.SUPPRESS)
    add("--answer", type=pathlib.Path, help=argparse.SUPPRESS)
    return parser


def positive_int(text: str) -> int:
    """Reads a flag that must be a whole number of at least 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, received {text}")
    return number


def bytes_of(text: str) -> int:
    """Reads a number of bytes: "16GB", "800 MB", "8GiB"."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT])(i?)B?\s*", text, re.IGNORECASE)
    if match is None:
        raise ValueError(f"Memory must be a number with a unit. Received: {text!r}. Use 16GB, for example.")
    return int(float(match[1]) * (1024 if match[3] else 1000) ** (UNITS.index(match[2].upper()) + 1))


def sizes_of(args: argparse.Namespace) -> dict:
    """Gives `BertEncoder`'s arguments of a size or a preset."""
    import keras_bert

    if args.preset is not None:
        return keras_bert.BertEncoder.from_preset(args.preset, load_weights=False).arguments
    if args.size not in keras_bert.SIZES:
        known = ", ".join(keras_bert.SIZES)
        raise ValueError(f"`--size` must be one of {known}. Received: {args.size!r}. Use --preset for another.")
    defaults = {"vocabulary_size": 30522, "max_sequence_length": 512, "num_segments": 2}
    return {**defaults, **keras_bert.SIZES[args.size], "dropout": 0.1, "attention_dropout": 0.1}


def plan(
    sizes: dict,
    task: str = "classifier",
    rows: int = 32,
    tokens: int = 128,
    precision: str = "float32",
    optimizer: str = "adamw",
    rematerialize: bool = False,
) -> dict[str, int]:
    """Counts the bytes of training.

    Args:
        sizes: dict, `BertEncoder`'s arguments.
        task: str, default "classifier".
        rows: int, default 32.
        tokens: int, default 128. Of a row.
        precision: str, default "float32".
        optimizer: str, default "adamw".
        rematerialize: bool, default False.

    Returns:
        dict of int: `weights`, `slots` of the optimizer, `gradients`, `activations`, and `step`, the peak of the last
        two and their work.
    """
    hidden, wide, layers = (sizes[name] for name in ("hidden_dim", "intermediate_dim", "num_layers"))
    width = 4 if precision == "float32" else 2
    kernels = 4 * hidden * hidden + 2 * hidden * wide
    block_weights = kernels + 9 * hidden + wide
    table = sizes["vocabulary_size"] * hidden
    others = (sizes["max_sequence_length"] + sizes["num_segments"] + 2) * hidden
    first = task in ("classifier", "multiple_choice")  # read the first position
    masks = round(0.15 * tokens) if task == "masked_lm" else 0
    square = (hidden + 1) * hidden
    weights = 4 * (table + others + layers * block_weights + square)  # the last is the pooler, read or not
    if task == "masked_lm":
        weights += 4 * (square + 2 * hidden + sizes["vocabulary_size"])

    places = rows * tokens * hidden
    copies = 0 if precision == "float32" else width * kernels
    queries = 1 if first else masks or tokens  # that the last block computes, of each row
    blocks = [block_bytes(sizes, rows, tokens, asked, width) + copies for asked in (tokens, queries)]
    embeddings = 8 * places + (places if sizes["dropout"] else 0)
    layout = rows * tokens * (width * tokens + 8 * sizes["num_heads"])
    ends = embeddings + layout + 3 * 4 * rows * masks * sizes["vocabulary_size"]
    # The first gradient of the widest tensor; the others take the place of what is no longer needed.
    asked = tokens if layers > 1 else queries
    scores = sizes["num_heads"] * tokens
    activations = ends + (layers - 1) * blocks[0] + blocks[1]
    work = width * rows * asked * max(wide, scores)
    if rematerialize:
        # A block is computed while the gradients of the one above still are: two of GELU's, or three of the scores.
        activations = ends + layers * width * places + max(blocks)
        work = rows * asked * max(2 * 4 * wide, 3 * width * scores)
    step = max(activations + work, weights + 4 * max(table, hidden * wide))
    return {
        "weights": weights,
        "slots": SLOTS[optimizer] * weights,
        "gradients": weights,
        "activations": activations,
        "step": step,
    }


def block_bytes(sizes: dict, rows: int, tokens: int, queries: int, width: int) -> int:
    """Counts what one block keeps for the gradients.

    Args:
        sizes: dict, `BertEncoder`'s arguments.
        rows: int.
        tokens: int. Of a row.
        queries: int. Positions of a row that the block computes.
        width: int. Bytes of a number.

    Returns:
        int, bytes.
    """
    hidden, wide = sizes["hidden_dim"], sizes["intermediate_dim"]
    every, asked = rows * tokens * hidden, rows * queries * hidden
    scores = rows * sizes["num_heads"] * queries * tokens
    entering, keys_and_values, query, merged, norm_output = every, 2 * every, asked, asked, asked
    softmax = scores * (2 if sizes["attention_dropout"] else 1)
    masks = (2 * asked if sizes["dropout"] else 0) + (scores if sizes["attention_dropout"] else 0)  # a byte each
    norms = 2 * 2 * asked
    gelu, gelu_output = 3 * rows * queries * wide, rows * queries * wide
    half = entering + keys_and_values + query + softmax + merged + norm_output + gelu_output
    return width * half + 4 * (norms + gelu) + masks


def largest_rows(sizes: dict, memory: float, tokens: int, **settings) -> int:
    """Finds the most rows whose training fits into some memory; 0 where none does."""

    def fits(rows):
        found = plan(sizes, rows=rows, tokens=tokens, **settings)
        return found["weights"] + found["slots"] + found["step"] <= memory

    low, high = 0, 1
    while fits(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def measured(args: argparse.Namespace, sizes: dict) -> int:
    """Trains a step of a classifier and gives its peak of memory in bytes."""
    import keras
    import numpy as np

    import keras_bert

    if args.task != "classifier":
        raise SystemExit(f"A classifier's step is measured. Received: --task {args.task}. Leave --measure out.")
    dtype = "float32" if args.precision == "float32" else f"mixed_{args.precision}"
    encoder = keras_bert.BertEncoder(**sizes, dtype=dtype, rematerialize=args.rematerialize)
    classifier = keras_bert.BertClassifier(encoder, num_classes=2)
    if args.optimizer != "adamw":
        optimizers = {"lamb": lambda: keras_bert.training.Lamb(1e-4), "sgd": lambda: keras.optimizers.SGD(1e-4)}
        classifier.compile(optimizers[args.optimizer]())

    def step(rows, tokens):
        ids = np.ones((rows, tokens), "int32")
        inputs = {"token_ids": ids, "segment_ids": 0 * ids, "padding_mask": ids}
        classifier.train_on_batch(inputs, np.zeros(rows, "int32"))

    # The second trace is of any shape. TensorFlow gives nothing back to the system: where the small steps had their
    # gradients, all at once for their norm, the large one finds place, and that is no part of what it adds.
    added = peak_bytes(lambda: step(args.rows, args.tokens), lambda: (step(1, 3), step(2, 4)))
    return added + sum(4 * int(np.prod(variable.shape)) for variable in classifier.trainable_variables)


if __name__ == "__main__":
    main()
