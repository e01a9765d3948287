"""Pre-trains BERT on raw text, on CPUs, GPUs or TPUs: masked language model and next sentence.

    python recipes/pretrain_tpu.py --data records/ --size base --batch-size 256 --steps 900000 100000 --strategy tpu

Without arguments it pre-trains a tiny model on the language reference that Python carries, offline, in under three
minutes on 2 cores. Killed and started again with the same flags, it goes on where it was; with `--deterministic`, to
the same weights bit by bit. Results go to `--output`: `preset/` (for every `from_preset`), `checkpoints/`,
`metrics.json`, `learning_curve.png`, and `logs/` for TensorBoard (where that is installed).
"""

import argparse
import functools
import math
import pathlib
import shutil
import sys

import guesses
import plots
import report
import tensorflow as tf
from callbacks import tensorboard_logs
from pretraining_data import data_flags, read_data
from pretraining_flags import check_flags, pretraining_flags
from throughput import Throughput, flops_per_token, matmul_flops
from workers import begin, chief_first, output_directory

import keras_bert

CURVES = {
    "masked-LM loss": "masked_lm_logits_loss",
    "masked-LM accuracy": "masked_lm_logits_accuracy",
    "next-sentence accuracy": "next_sentence_logits_accuracy",
}


def main(argv: list[str] | None = None) -> dict:
    """Runs the recipe and returns what it writes to `metrics.json`."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    data_flags(parser)
    pretraining_flags(parser)
    args = parser.parse_args(argv)
    try:  # everything that can be wrong shows before the first training step
        check_flags(args)
        strategy = begin(args)
        output = output_directory(strategy, args.output, "preset")
        if args.deterministic:
            tf.config.experimental.enable_op_determinism()
        preset_tokenizer = keras_bert.BertTokenizer.from_preset(args.preset) if args.preset else None
        train, evaluation = chief_first(strategy, lambda: read_data(args, preset_tokenizer, output))
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
    progress = train_phases(args, pretrainer, train, evaluation, checkpoints)
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
    masked_lm = keras_bert.BertMaskedLM.from_preset(output / "preset")
    for text, original in guesses.hidden_words(tokenizer, rows, count=3):
        print(*guesses.lines(text, masked_lm.predict([text], verbose=0)[0]), f"    (it was: {original})", sep="\n")
    print(f"The preset: {output / 'preset'}. Fine-tune it: --preset {output / 'preset'}")
    return metrics


def build_pretrainer(args: argparse.Namespace, tokenizer) -> keras_bert.BertPretrainer:
    """Builds a new model of a size, or reads the one to go on with."""
    options = {"dtype": "mixed_bfloat16" if args.mixed_precision else "float32"}
    if args.dropout is not None:
        options["dropout"] = args.dropout
    next_sentence = args.next_sentence != "none"
    if args.preset:
        pretrainer = keras_bert.BertPretrainer.from_preset(args.preset, next_sentence=next_sentence, **options)
        longest = pretrainer.encoder.arguments["max_sequence_length"]
        if max(args.row_sizes) > longest:
            raise ValueError(
                f"Rows must fit the position table of the preset. Received: --row-sizes {args.row_sizes} for "
                f"{longest} positions. Take shorter rows."
            )
        return pretrainer
    longest = max(512, *args.row_sizes)
    encoder = keras_bert.BertEncoder(
        vocabulary_size=len(tokenizer.vocabulary),
        max_sequence_length=longest,
        **keras_bert.SIZES[args.size or "base"],
        **options,
    )
    return keras_bert.BertPretrainer(
        encoder, keras_bert.BertPreprocessor(tokenizer, sequence_length=longest), next_sentence
    )


def compile_pretrainer(pretrainer, args: argparse.Namespace) -> None:
    """Sets optimizer and schedule of the whole training."""
    steps = sum(args.steps)
    schedule = keras_bert.training.WarmupLinearDecay(args.learning_rate, steps, int(args.warmup * steps))
    if args.budget_hours:  # set from step to step
        schedule = args.learning_rate
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


def batches_from(args: argparse.Namespace, strategy, manifest, row_size: int, first: int, step: int):
    """Returns the batches of a phase that began at step `first`, of which every host reads its own part."""
    # Where there is enough text, batches do not depend on the number of hosts.
    streams = math.gcd(args.batch_size, 8) if manifest.total("tokens") > 10**8 else 1

    def of_host(host, num_hosts):
        place = {"host": host, "num_hosts": num_hosts, "num_streams": max(streams, num_hosts)}
        return stream(args, manifest, row_size, first_step=step - first, **place)

    return keras_bert.training.distribute_batches(strategy, of_host)


def train_phases(args, pretrainer, train, evaluation, checkpoints) -> keras_bert.training.Progress:
    """Trains on rows of one size after the other, from where an earlier run was."""
    device_flops = matmul_flops(pretrainer.compute_dtype) * pretrainer.distribute_strategy.num_replicas_in_sync
    progress = checkpoints.find()
    logs = tensorboard_logs(pathlib.Path(args.output) / "logs") if checkpoints.writes else []
    ends = [0, *progress.notes.get("ends", [])]  # with a budget, the steps at which phases ended
    for phase, row_size in enumerate(args.row_sizes):
        until = sum(args.steps[: phase + 1])
        callbacks = [throughput(args, pretrainer, evaluation, row_size, device_flops)]
        if args.budget_hours:
            share = until / sum(args.steps)
            budget = keras_bert.training.TimeBudget(
                3600 * args.budget_hours, args.learning_rate, args.warmup, progress.seconds, share
            )
            is_over = len(ends) > phase + 1 or budget.share >= share
            if is_over:
                ends = ends if len(ends) > phase + 1 else [*ends, progress.step]
                if phase + 1 < len(args.row_sizes):
                    continue
            until = progress.step if is_over else sys.maxsize  # of what is over the weights are read
            callbacks.append(budget)
        progress = keras_bert.training.fit_with_resume(
            pretrainer,
            functools.partial(batches_from, args, pretrainer.distribute_strategy, train, row_size, ends[phase]),
            steps=until,
            steps_per_epoch=args.evaluate_every,
            checkpoints=checkpoints,
            save_rule=keras_bert.training.SaveRule(minutes=args.minutes_between_saves),
            notes={"ends": ends[1:]} if args.budget_hours else {},
            callbacks=[*callbacks, *logs],
            validation_data=batches_from(args, pretrainer.distribute_strategy, evaluation, row_size, 0, 0),
            validation_steps=args.evaluation_steps,
            verbose=0,
        )
        ends.append(progress.step if args.budget_hours else until)
    return progress


def throughput(args, pretrainer, manifest, row_size, device_flops) -> Throughput:
    """Makes what tells the speed, from what a batch holds."""
    inputs = next(iter(stream(args, manifest, row_size)))[0]
    tokens = float(tf.reduce_sum(tf.cast(inputs["padding_mask"] > 0, tf.float32)))
    flops = flops_per_token(pretrainer.encoder, row_size, inputs["mask_positions"].shape[1])
    return Throughput(None if args.budget_hours else sum(args.steps), tokens, flops, device_flops)


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
