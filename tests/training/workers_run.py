"""One `fit` of a task under a strategy, with what it trained on; tests compare several workers with one device."""

import argparse
import json
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[2]))

import keras
import numpy as np
import tensorflow as tf

import keras_bert
from keras_bert.data.epochs import endless
from keras_bert.training.workers import distribute_rows
from tests.training.fitting_run import HEADS

BATCH = 8
WEIGHTS = (1.0, 0.5, 3.0, 2.0, 0.25, 0.0)


class Losses(keras.callbacks.Callback):
    """Keeps the loss of every step: the metrics are set to 0 after each. Waits, so that there is time to be killed."""

    def __init__(self, pause):
        super().__init__()
        self.losses, self.pause = [], pause

    def on_train_batch_end(self, batch, logs=None):
        print("step", flush=True)
        time.sleep(self.pause)
        self.losses.append(float(np.ravel(logs["loss"])[0]))
        self.model.reset_metrics()


def examples(head, count):
    """So many examples of a head, uneven weights, and other examples to evaluate."""
    _, x, y = HEADS[head]

    def some(values, first):
        return None if values is None else [values[(first + i) % len(values)] for i in range(count)]

    def texts(first):
        return tuple(some(part, first) for part in x) if isinstance(x, tuple) else some(x, first)

    weights = None if head == "masked" else [WEIGHTS[i % len(WEIGHTS)] for i in range(count)]
    return (texts(0), some(y, 0), weights), (texts(1), some(y, 1))


def train(head, place, count, epochs, pause, options):
    keras.utils.set_random_seed(3)
    with place.scope():
        model = HEADS[head][0]()
        variables = model.trainable_variables
        # Not higher: Adam makes steps of the key's biases' gradients too, which are 0 but for rounding.
        schedule = keras_bert.training.WarmupLinearDecay(1e-3, total_steps=60, warmup_steps=5)
        model.compile(keras_bert.training.adamw(variables, schedule, global_clipnorm=0.5))
    (x, y, weights), held_out = examples(head, count)
    losses = Losses(pause)
    if weights is not None:
        options = options | {"sample_weight": weights}
    history = model.fit(
        x, y, batch_size=BATCH, epochs=epochs, validation_data=held_out, verbose=0, callbacks=[losses],
        **options,
    ).history  # fmt: skip
    measured = model.evaluate(*held_out, batch_size=BATCH, return_dict=True, verbose=0)
    asked = held_out[0][0] if isinstance(model, keras_bert.BertEmbedder) else held_out[0]
    found = model.predict(asked, verbose=0)
    return model, {
        "losses": losses.losses,
        "history": {name: values for name, values in history.items() if name.startswith("val_")},
        "measured": measured,
        "answers": found.tolist() if isinstance(found, np.ndarray) else found,
    }


def seen(model, count, evaluate=False):
    """The examples that this worker gets in an epoch: each is known by its weight. None are made for raw texts."""
    if not isinstance(model, keras_bert.BertClassifier):
        return []
    (x, y, _), _ = examples("classifier", count)
    of_epoch = model._epochs(x, y, np.arange(1, count + 1), BATCH)
    if evaluate:
        batches, steps = model.spread(of_epoch(), None)
    else:
        batches, steps = distribute_rows(model.distribute_strategy, endless(of_epoch, 0, (1, 2))), -(-count // BATCH)
    found = []
    for _, (_, _, weights) in zip(range(steps or count), batches):
        for part in model.distribute_strategy.experimental_local_results(weights):
            found += [int(weight) for weight in part.numpy() if weight]
    return found


def main(argv=None):
    parser = argparse.ArgumentParser()
    parser.add_argument("head")
    parser.add_argument("output", type=pathlib.Path)
    parser.add_argument("--worker", type=int)
    parser.add_argument("--count", type=int, default=21)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--checkpoint")
    parser.add_argument("--steps-between-saves", type=int, default=1)
    parser.add_argument("--pause", type=float, default=0.0)
    args = parser.parse_args(argv)
    tf.config.experimental.enable_op_determinism()
    place = keras_bert.training.strategy("one" if args.worker is None else "multi_worker")
    rule = keras_bert.training.SaveRule(steps=args.steps_between_saves)
    saving = {"checkpoint": args.checkpoint, "save_rule": rule} if args.checkpoint else {}
    model, result = train(args.head, place, args.count, args.epochs, args.pause, saving)
    result["seen"] = {"fit": seen(model, args.count), "evaluate": seen(model, args.count, evaluate=True)}
    name = "one" if args.worker is None else f"worker-{args.worker}"
    # What softmax does not see is moved by the rounding of a gradient that is 0: most where choices are compared.
    unseen = ("/key/bias", "scores/bias") if isinstance(model, keras_bert.BertMultipleChoice) else ()
    result["unseen"] = [place for place, v in enumerate(model.weights) if v.path.endswith(unseen)]
    (args.output / f"{name}.json").write_text(json.dumps(result))
    # Slots of variables that the loss does not reach, as a pooler's, are made under a strategy only.
    slots = [v for v in model.optimizer.variables if "pooler" not in v.path]
    weights = [keras.ops.convert_to_numpy(v) for v in (*model.weights, *slots)]
    np.savez(args.output / f"{name}.npz", *weights)


if __name__ == "__main__":
    main()
