"""Fifty steps of pre-training under a strategy; tests compare the losses of several."""

import argparse
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[2]))

import keras
import numpy as np
import tensorflow as tf

import keras_bert

STEPS, BATCH = 50, 8


class Losses(keras.callbacks.Callback):
    """Keeps the loss of every step: the metrics are set to 0 after each."""

    def __init__(self):
        super().__init__()
        self.losses = []

    def on_train_batch_end(self, batch, logs=None):
        self.losses.append(float(np.ravel(logs["loss"])[0]))
        self.model.reset_metrics()


def train(data, place, output, steps, writes):
    """Trains a small model without dropout, clipped and accumulated, and returns the losses of the steps."""
    manifest = keras_bert.data.read_manifest(data)
    keras.utils.set_random_seed(3)
    with place.scope():
        encoder = keras_bert.BertEncoder(
            vocabulary_size=len(manifest.tokenizer().vocabulary), num_layers=2, num_heads=2, hidden_dim=24,
            intermediate_dim=36, max_sequence_length=32, dropout=0.0, attention_dropout=0.0,
        )  # fmt: skip
        pretrainer = keras_bert.BertPretrainer(encoder)
        schedule = keras_bert.training.WarmupLinearDecay(5e-3, total_steps=STEPS, warmup_steps=5)
        optimizer = keras_bert.training.adamw(pretrainer.trainable_variables, schedule, global_clipnorm=0.5)
        pretrainer.compile(optimizer, gradient_accumulation_steps=2)

    def batches(step, **options):
        return keras_bert.training.distribute_batches(
            place,
            lambda host, num_hosts: keras_bert.data.pretraining_batches(
                manifest, batch_size=BATCH, row_size=32, first_step=step, num_streams=4, host=host,
                num_hosts=num_hosts, **options,
            ),
        )  # fmt: skip

    losses = Losses()
    checkpoints = keras_bert.training.Checkpoints(output, pretrainer, writes=writes)
    progress = keras_bert.training.fit_with_resume(
        pretrainer, batches, steps=steps, steps_per_epoch=20, checkpoints=checkpoints, callbacks=[losses],
        validation_data=batches(0, seed=9), validation_steps=2, verbose=0,
    )  # fmt: skip
    return pretrainer, losses.losses, progress.history


def main(argv=None):
    parser = argparse.ArgumentParser()
    parser.add_argument("data")
    parser.add_argument("output", type=pathlib.Path)
    parser.add_argument("--strategy", default="one")
    parser.add_argument("--worker", type=int, default=0)
    parser.add_argument("--steps", type=int, default=STEPS)
    args = parser.parse_args(argv)
    if args.strategy == "mirrored":
        device = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(device, [tf.config.LogicalDeviceConfiguration()] * 2)
    place = keras_bert.training.strategy(args.strategy)
    pretrainer, losses, history = train(args.data, place, args.output / args.strategy, args.steps, args.worker == 0)
    name = args.output / f"{args.strategy}-{args.worker}"
    name.with_suffix(".json").write_text(json.dumps({"losses": losses, "history": history}))
    np.savez(name.with_suffix(".npz"), *pretrainer.get_weights())


if __name__ == "__main__":
    main()
