"""Heads over windows: steps that took place are counted, no others; XLA gives the same losses and answers."""

import warnings

import keras
import numpy as np
import pytest

from tests.labelers import CONTEXTS, QUESTIONS, make_labeler
from tests.taggers import WORDS, make_tagger

DATA = {
    "spans": (make_labeler, (QUESTIONS[2:], CONTEXTS[2:]), [text[:3] for text in CONTEXTS[2:]]),
    "words": (make_tagger, WORDS, [["B-x"] * len(words) for words in WORDS]),
}


def trained(head, jit_compile=False, **settings):
    make_head, x, y = DATA[head]
    model = make_head(num_layers=1)
    model.compile(learning_rate=0.01, jit_compile=jit_compile)
    return model, model.fit(x, y, batch_size=4, epochs=2, shuffle=False, verbose=0, **settings).history["loss"]


@pytest.mark.parametrize("head", DATA)
def test_only_steps_that_took_place_are_counted(head):
    steps = []
    count = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: steps.append(batch))
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="Your input ran out of data")
        model, losses = trained(head, callbacks=[count], validation_data=DATA[head][1:])
    assert model.optimizer.iterations == len(steps) > 2
    assert losses[1] < losses[0]


@pytest.mark.slow
@pytest.mark.parametrize("head", DATA)
def test_xla_gives_the_losses_and_answers(head):
    (model, losses), (compiled, compiled_losses) = trained(head), trained(head, jit_compile=True)
    np.testing.assert_allclose(losses, compiled_losses, atol=1e-5)
    found, compiled_found = (keras.tree.flatten(m.predict(DATA[head][1], verbose=0)) for m in (model, compiled))
    assert found == pytest.approx(compiled_found, abs=1e-5)
