"""Pre-trains BERT on raw text, on CPUs, GPUs or TPUs: masked language model and next sentence.

    python recipes/pretrain_tpu.py --data records/ --size base --batch-size 256 --steps 900000 100000 --strategy tpu

Without arguments it pre-trains a tiny model on the language reference that Python carries, offline, in under three
minutes on 2 cores. Killed and started again with the same flags, it goes on where it was, to the same weights. Results
go to `--output`: `preset/` (for every `from_preset`), `checkpoints/`, `metrics.json`, `learning_curve.png`, and `logs/`
for TensorBoard (where that is installed).
"""

import argparse
import math
import pathlib
import shutil

import fill_mask
import keras
import plots
import report
import tensorflow as tf
from callbacks import tensorboard_logs
from flags import PRESET, positive_float, positive_int, writable_directory
from pretraining_data import data_flags, read_data
from throughput import Throughput, flops_per_token, matmul_flops

import keras_bert

CURVES = {
    "masked-LM loss": "masked_lm_logits_loss",
    "masked-LM accuracy": "masked_lm_logits_accuracy",
    "next-sentence accuracy": "next_sentence_logits_accuracy",
}
TRY = {"size": "tiny", "steps": [1200], "row_sizes": [128], "batch_size": 16, "learning_rate": 2e-3}


def main(argv: list[str] | None = None) -> dict:
    """Runs the recipe and returns what it writes to `metrics.json`."""
    parser = build_parser()
    args = parser.parse_args(argv)
    if args.data is None:
        given = {name for name in TRY if getattr(args, name) is not None}
        vars(args).update({name: value for name, value in TRY.items() if name not in given})
    try:  # everything that can be wrong shows before the first training step
        check_flags(args)
        output = writable_directory(args.output, "preset")
        strategy = keras_bert.training.strategy(args.strategy, args.tpu)  # before anything is computed
        keras.utils.set_random_seed(args.seed)
        if args.deterministic:
            tf.config.experimental.enable_op_determinism()
        preset_tokenizer = keras_bert.BertTokenizer.from_preset(args.preset) if args.preset else None
        train, evaluation = read_data(args, preset_tokenizer, output)
        tokenizer = train.tokenizer()
        with strategy.scope():
            pretrainer = build_pretrainer(args, tokenizer)
            compile_pretrainer(pretrainer, args)
        is_chief = keras_bert.training.is_chief(strategy)
        if not args.resume and is_chief:
            shutil.rmtree(output / "checkpoints", ignore_errors=True)
        checkpoints = keras_bert.training.Checkpoints(
            output / "checkpoints", pretrainer, configuration(args, train), writes=is_chief
        )
        progress = checkpoints.find()
    except (ValueError, OSError) as error:
        parser.error(str(error))
    print(
        f"{train.total('tokens'):,} tokens of {train.total('documents'):,} documents to train on, "
        f"{evaluation.total('tokens'):,} held out; {pretrainer.encoder.count_params():,} weights in the encoder. "
        f"Results: {output}" + (f". It goes on from step {progress.step:,}." if progress.step else "")
    )
    device_flops = matmul_flops(pretrainer.compute_dtype) * strategy.num_replicas_in_sync
    first = 0
    for row_size, steps in zip(args.row_sizes, args.steps, strict=True):
        progress = train_phase(args, pretrainer, train, evaluation, checkpoints, row_size, first, steps, device_flops)
        first += steps
    if not is_chief:
        return {}
    pretrainer.save_to_preset(output / "preset")
    metrics = {"arguments": vars(args), "seconds": progress.seconds, "history": progress.history}
    metrics |= {"held_out": held_out(progress.history[-1])}
    report.write_json(output / "metrics.json", metrics)
    with keras_bert.presets.atomic_file(output / "learning_curve.png") as new:
        plots.curves_by_step(new, progress.history, CURVES)
    print("Held out: " + ", ".join(f"{name} {value:.4f}" for name, value in metrics["held_out"].items()))
    rows = stream(args, evaluation, args.row_sizes[-1], batch_size=1)
    for line in fill_mask.examples(pretrainer, tokenizer, rows, count=3):
        print(line)
    print(f"The preset: {output / 'preset'}. Fine-tune it: --preset {output / 'preset'}")
    return metrics


def build_parser() -> argparse.ArgumentParser:
    """Returns the parser of this recipe's flags."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    data_flags(parser)
    add = parser.add_argument_group("model and task").add_argument
    add("--size", choices=keras_bert.SIZES, help="Of a new model. Default: base; without --data tiny.")
    add("--preset", help=f"{PRESET} Its training goes on.")
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
    add("--batch-size", type=positive_int, help="Rows of a step, over all devices. Default: 256.")
    add("--learning-rate", type=positive_float, help="Highest. Default: 1e-4.")
    add("--warmup", type=float, default=0.05, help="Share of all steps in which it rises. Default: 0.05.")
    add("--optimizer", choices=("adamw", "lamb"), default="adamw", help="lamb is for large batches. Default: adamw.")
    add("--weight-decay", type=float, default=0.01, help="Default: 0.01.")
    add("--gradient-accumulation-steps", type=positive_int, default=1, help="Parts of a batch. Default: 1.")
    add("--steps-per-execution", type=positive_int, default=1, help="Steps without Python between. Default: 1.")
    add("--evaluate-every", type=positive_int, help="Steps. Default: a twentieth of all.")
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
    add(
        "--strategy",
        choices=keras_bert.training.STRATEGIES,
        default="auto",
        help="multi_worker reads TF_CONFIG. Default: auto, the best that is there.",
    )
    add("--tpu", default="local", help="Name or grpc:// address. Default: local, the TPU of this machine.")
    add("--output", default="output/pretrain", help="Directory for all results. Default: output/pretrain.")
    return parser


def check_flags(args: argparse.Namespace) -> None:
    """Fills in defaults and refuses what does not fit together."""
    args.row_sizes = args.row_sizes or [128, 512]
    args.steps = args.steps or [900_000, 100_000][: len(args.row_sizes)]
    args.batch_size = args.batch_size or 256
    args.learning_rate = args.learning_rate or 1e-4
    args.evaluate_every = args.evaluate_every or math.ceil(sum(args.steps) / 20)
    if len(args.row_sizes) != len(args.steps):
        raise ValueError(
            f"Each phase needs a row size and steps. Received: --row-sizes {args.row_sizes}, --steps {args.steps}."
        )
    if args.preset and args.size:
        raise ValueError("--size is of a new model. Received: --preset too, which has its size. Leave one out.")


def build_pretrainer(args: argparse.Namespace, tokenizer) -> keras_bert.BertPretrainer:
    """Builds a new model of a size, or reads the one to go on with."""
    dtype = "mixed_bfloat16" if args.mixed_precision else "float32"
    next_sentence = args.next_sentence != "none"
    if args.preset:
        return keras_bert.BertPretrainer.from_preset(args.preset, next_sentence=next_sentence, dtype=dtype)
    longest = max(512, *args.row_sizes)
    encoder = keras_bert.BertEncoder(
        vocabulary_size=len(tokenizer.vocabulary),
        max_sequence_length=longest,
        dtype=dtype,
        **keras_bert.SIZES[args.size or "base"],
    )
    return keras_bert.BertPretrainer(
        encoder, keras_bert.BertPreprocessor(tokenizer, sequence_length=longest), next_sentence
    )


def compile_pretrainer(pretrainer, args: argparse.Namespace) -> None:
    """Sets optimizer and schedule of the whole training."""
    steps = sum(args.steps)
    schedule = keras_bert.training.WarmupLinearDecay(args.learning_rate, steps, int(args.warmup * steps))
    if args.optimizer == "lamb":
        optimizer = keras_bert.training.Lamb(schedule, decay=args.weight_decay, global_clipnorm=1.0)
    else:
        variables = pretrainer.trainable_variables
        optimizer = keras_bert.training.adamw(variables, schedule, weight_decay=args.weight_decay)
    pretrainer.compile(
        optimizer,
        gradient_accumulation_steps=args.gradient_accumulation_steps,
        steps_per_execution=args.steps_per_execution,
        jit_compile=args.jit_compile,
    )


def configuration(args: argparse.Namespace, train) -> dict:
    """Lists what must stay the same when a training goes on."""
    free = ("data", "evaluation_data", "output", "resume", "minutes_between_saves", "strategy", "tpu")
    free += ("steps_per_execution", "evaluation_steps", "held_out", "vocabulary", "cased", "separator", "jit_compile")
    kept = {name: value for name, value in vars(args).items() if name not in free}
    return kept | {"corpus": train.corpus_sha256, "vocabulary": train.vocabulary_sha256}


def stream(args: argparse.Namespace, manifest, row_size: int, **options) -> tf.data.Dataset:
    """Returns the batches of a phase."""
    return keras_bert.data.pretraining_batches(
        manifest,
        row_size=row_size,
        next_sentence=args.next_sentence,
        mask_unit=args.mask_unit,
        mask_rate=args.mask_rate,
        short_sequence_probability=args.short_sequence_probability,
        **{"batch_size": args.batch_size, "seed": args.seed, "num_streams": 1, **options},
    )


def distributed(args: argparse.Namespace, strategy, manifest, row_size: int, **options):
    """Returns the batches of a phase, of which every host reads its own part."""
    # Where there is enough text, batches do not depend on the number of hosts.
    streams = math.gcd(args.batch_size, 8) if manifest.total("tokens") > 10**8 else 1
    return keras_bert.training.distribute_batches(
        strategy,
        lambda host, num_hosts: stream(
            args,
            manifest,
            row_size,
            host=host,
            num_hosts=num_hosts,
            num_streams=max(streams, num_hosts),
            **options,
        ),
    )


def train_phase(args, pretrainer, train, evaluation, checkpoints, row_size, first, steps, device_flops):
    """Trains on rows of one size; does nothing where that was done before."""
    inputs = next(iter(stream(args, evaluation, row_size)))[0]
    tokens = float(tf.reduce_mean(tf.cast(inputs["padding_mask"] > 0, tf.float32))) * args.batch_size * row_size
    flops = flops_per_token(pretrainer.encoder, row_size, inputs["mask_positions"].shape[1])
    throughput = Throughput(sum(args.steps), tokens, flops, device_flops)
    return keras_bert.training.fit_with_resume(
        pretrainer,
        lambda step: distributed(args, pretrainer.distribute_strategy, train, row_size, first_step=step - first),
        steps=first + steps,
        steps_per_epoch=args.evaluate_every,
        checkpoints=checkpoints,
        minutes_between_saves=args.minutes_between_saves,
        callbacks=[throughput, *tensorboard_logs(pathlib.Path(args.output) / "logs")],
        validation_data=distributed(args, pretrainer.distribute_strategy, evaluation, row_size, seed=0),
        validation_steps=args.evaluation_steps,
        verbose=0,
    )


def held_out(logs: dict) -> dict:
    """Picks what was measured on held-out text."""
    loss = logs["val_masked_lm_logits_loss"]
    found = {
        "masked_lm_loss": loss,
        "masked_lm_perplexity": math.exp(loss),
        "masked_lm_accuracy": logs["val_masked_lm_logits_accuracy"],
    }
    if "val_next_sentence_logits_accuracy" in logs:
        found["next_sentence_accuracy"] = logs["val_next_sentence_logits_accuracy"]
    return found


if __name__ == "__main__":
    main()
