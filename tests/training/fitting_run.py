"""A small `fit` of a task that tests start, kill and start again; with what the weights became."""

import argparse
import hashlib
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[2]))

import keras
import tensorflow as tf

import keras_bert
from tests.choosers import ANSWERS, EXAMPLES, make_chooser
from tests.classifiers import NAMES, TEXTS, make_classifier
from tests.embedders import FIRST, SCORES, SECOND, make_embedder
from tests.labelers import CONTEXTS, QUESTIONS, make_labeler
from tests.masked import TEXTS as MASKED_TEXTS
from tests.masked import make_masked_lm
from tests.taggers import WORDS, make_tagger
from tests.training.pretraining_run import Steps

SPANS = (QUESTIONS[2:], CONTEXTS[2:])
# None twice: of two the same, rounding would say which is the closer one.
KINDS, THINGS = ("good", "bad", "fine"), ("a", "film", "day", "story", "bore", "it", "no")
PAIRS = tuple(
    [form.format(kind, thing) for kind in KINDS for thing in THINGS] for form in ("{0} {1}", "{1} is not {0}")
)
HEADS = {
    "classifier": (make_classifier, TEXTS, NAMES),
    "span": (make_labeler, SPANS, [context.strip()[:3] for context in SPANS[1]]),
    "token": (make_tagger, WORDS, [["B-x"] * len(words) for words in WORDS]),
    "masked": (make_masked_lm, MASKED_TEXTS, None),
    "choice": (make_chooser, EXAMPLES, ANSWERS),
    "pairs": (make_embedder, PAIRS, None),  # each text's pair among all of the batch
    "scores": (make_embedder, (FIRST, SECOND), SCORES),
}


class Interrupted(keras.callbacks.Callback):
    """Breaks off after so many steps."""

    def __init__(self, steps):
        super().__init__()
        self.steps = steps

    def on_train_batch_end(self, batch, logs=None):
        self.steps -= 1
        if not self.steps:
            raise KeyboardInterrupt


def run(
    head, output, pause=0.0, epochs=4, batch_size=2, learning_rate=0.01, examples=None, seed=5, labels=None, **rule
):
    """Trains with dropout and shuffling, from where an earlier run was."""
    make, x, y = HEADS[head]
    x, y = (x, y) if examples is None else examples
    model = make()
    model.save_to_preset(output / "start")
    keras.utils.set_random_seed(seed)
    more = {} if labels is None else {"labels": labels}
    model = type(model).from_preset(output / "start", dropout=0.1, **more)
    model.compile(learning_rate=learning_rate)
    history = model.fit(
        x, y, batch_size=batch_size, epochs=epochs, validation_data=(x, y), verbose=0, callbacks=[Steps(pause)],
        checkpoint=output / "checkpoints", save_rule=keras_bert.training.SaveRule(**{"steps": 1, **rule}),
    ).history  # fmt: skip
    return model, history


def main(argv=None):
    parser = argparse.ArgumentParser()
    parser.add_argument("head")
    parser.add_argument("output", type=pathlib.Path)
    parser.add_argument("--pause", type=float, default=0.0)
    args = parser.parse_args(argv)
    tf.config.experimental.enable_op_determinism()
    model, history = run(args.head, args.output, args.pause)
    variables = [*model.variables, *model.optimizer.variables, *model.metrics_variables]
    digests = [hashlib.sha256(keras.ops.convert_to_numpy(v).tobytes()).hexdigest() for v in variables]
    (args.output / "result.json").write_text(json.dumps({"digests": digests, "history": history}))


if __name__ == "__main__":
    main()
