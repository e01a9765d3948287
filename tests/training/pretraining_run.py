"""A small pre-training that tests start, kill and start again."""

import argparse
import hashlib
import json
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[2]))

import keras
import tensorflow as tf

import keras_bert

STEPS, STEPS_PER_EPOCH = 23, 6


class Steps(keras.callbacks.Callback):
    """Tells that a step is over, and waits, so that there is time to be killed."""

    def __init__(self, pause):
        super().__init__()
        self.pause = pause

    def on_train_batch_end(self, batch, logs=None):
        print("step", flush=True)
        time.sleep(self.pause)


def build(manifest, seed=1, hidden_dim=24):
    keras.utils.set_random_seed(seed)
    encoder = keras_bert.BertEncoder(
        vocabulary_size=len(manifest.tokenizer().vocabulary), num_layers=2, num_heads=2, hidden_dim=hidden_dim,
        intermediate_dim=36, max_sequence_length=32,
    )  # fmt: skip
    pretrainer = keras_bert.BertPretrainer(encoder)
    schedule = keras_bert.training.WarmupLinearDecay(1e-2, total_steps=STEPS, warmup_steps=4)
    pretrainer.compile(keras_bert.training.adamw(pretrainer.trainable_variables, schedule))
    return pretrainer


def run(data, output, pause=0.0, seed=1, hidden_dim=24, steps=STEPS):
    manifest = keras_bert.data.read_manifest(data)
    pretrainer = build(manifest, seed, hidden_dim)
    traced = []
    functions = {name: getattr(pretrainer, name) for name in ("train_step", "test_step")}

    def counted(name):
        return lambda batch: (traced.append(name), functions[name](batch))[1]

    for name in functions:
        setattr(pretrainer, name, counted(name))

    def batches(step, **options):
        return keras_bert.data.pretraining_batches(manifest, batch_size=4, row_size=32, first_step=step, **options)

    checkpoints = keras_bert.training.Checkpoints(f"{output}/checkpoints", pretrainer, {"seed": seed})
    rule = keras_bert.training.SaveRule(minutes=0)
    progress = keras_bert.training.fit_with_resume(
        pretrainer, batches, steps=steps, steps_per_epoch=STEPS_PER_EPOCH, checkpoints=checkpoints,
        save_rule=rule, callbacks=[Steps(pause)], validation_data=batches(0, seed=9).take(2), verbose=0,
    )  # fmt: skip
    return pretrainer, progress, traced


def main(argv=None):
    parser = argparse.ArgumentParser()
    parser.add_argument("data")
    parser.add_argument("output")
    parser.add_argument("--pause", type=float, default=0.0)
    args = parser.parse_args(argv)
    tf.config.experimental.enable_op_determinism()
    pretrainer, progress, _ = run(args.data, args.output, args.pause)
    variables = [*pretrainer.variables, *pretrainer.optimizer.variables, *pretrainer.metrics_variables]
    digests = [hashlib.sha256(keras.ops.convert_to_numpy(v).tobytes()).hexdigest() for v in variables]
    result = {"digests": digests, "history": progress.history, "step": progress.step}
    (pathlib.Path(args.output) / "result.json").write_text(json.dumps(result))


if __name__ == "__main__":
    main()
