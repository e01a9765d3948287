"""Every task's train step is one for a TPU: compiled by XLA, its shapes known, no strings, nothing on the host."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.choosers import ANSWERS, EXAMPLES, make_chooser
from tests.classifiers import NAMES, TEXTS, make_classifier
from tests.embedders import FIRST, SCORES, SECOND, make_embedder
from tests.labelers import CONTEXTS, QUESTIONS, make_labeler
from tests.masked import TEXTS as MASKED_TEXTS
from tests.masked import make_masked_lm
from tests.models.test_pretrainer import LABELS, WEIGHTS, inputs_of, make_pretrainer
from tests.taggers import WORDS, make_tagger

STEPS = {
    "classifier": (make_classifier, TEXTS, NAMES),
    "span_labeler": (make_labeler, (QUESTIONS[2:], CONTEXTS[2:]), [text[:3] for text in CONTEXTS[2:]]),
    "token_classifier": (make_tagger, WORDS, [["B-x"] * len(words) for words in WORDS]),
    "multiple_choice": (make_chooser, EXAMPLES, ANSWERS),
    "masked_lm": (make_masked_lm, MASKED_TEXTS, None),
    "embedder, pairs": (make_embedder, (FIRST, SECOND), None),
    "embedder, scores": (make_embedder, (FIRST, SECOND), SCORES),
    "pretrainer": (make_pretrainer, inputs_of(), (LABELS, WEIGHTS)),
}
FAST = ("classifier", "masked_lm", "embedder, pairs", "pretrainer")
HOST = ("PyFunc", "EagerPyFunc", "PyFuncStateless", "Print", "PrintV2", "XlaHostCompute", "XlaSendToHost")


def traced(name, **settings):
    """A task's compiled step of a batch of known shapes, and the batch."""
    make, x, y = STEPS[name]
    model = make(num_layers=1)
    model.compile(learning_rate=0.001, jit_compile=True, **settings)
    batch = (x, *y) if name == "pretrainer" else next(iter(model._epochs(x, y, None, 4)()))
    batch = tf.nest.map_structure(tf.constant, batch)
    model.optimizer.build(model.trainable_variables)
    model._symbolic_build(data_batch=batch)  # metrics are made outside of the step, as `fit` does
    step = tf.function(model.train_step, jit_compile=True)
    return step.get_concrete_function(batch), batch


def graphs(graph):
    """A graph and those of the branches and loops in it."""
    yield graph
    for node in graph.get_operations():
        for name in ("then_branch", "else_branch", "body", "cond", "f"):
            if name in node.node_def.attr and node.node_def.attr[name].HasField("func"):
                yield from graphs(graph._get_function(node.node_def.attr[name].func.name).graph)


def faults(graph):
    """What no TPU could run, or not without another compilation for every batch."""
    for part in graphs(graph):
        for node in part.get_operations():
            tensors = [*node.inputs, *node.outputs]
            if any(tensor.dtype == tf.string for tensor in tensors) or node.type in HOST:
                yield f"{node.type} {node.name}"
            elif any(not tensor.shape.is_fully_defined() for tensor in node.outputs):
                yield f"{node.type} {node.name}: {[tensor.shape for tensor in node.outputs]}"


@pytest.mark.parametrize("kind", ["strings", "host", "shapes"])
def test_faults_are_found(kind):
    def step(x):
        if kind == "strings":
            return tf.strings.length(tf.strings.as_string(x))
        if kind == "host":
            return tf.numpy_function(np.sin, [x], tf.float32)
        return tf.cond(x[0] > 0, lambda: tf.reduce_sum(tf.boolean_mask(x, x > 1)), lambda: 0.0)

    assert list(faults(tf.function(step).get_concrete_function(tf.ones(3)).graph))


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name not in FAST)) for name in STEPS]
)
def test_a_step_holds_nothing_that_a_tpu_cannot_run(name):
    step, _ = traced(name)
    assert len(step.graph.get_operations()) > 200
    assert list(faults(step.graph)) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", STEPS)
def test_a_step_compiles_and_computes(name):
    step, batch = traced(name, gradient_accumulation_steps=2)
    assert list(faults(step.graph)) == []
    assert all(np.isfinite(value).all() for value in keras.tree.flatten(step(*tf.nest.flatten(batch))))
