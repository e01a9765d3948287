"""A schedule by the clock: the shape of a schedule by steps, over several runs."""

import time
import types

import keras
import pytest
import tensorflow as tf

from keras_bert.training import Checkpoints, TimeBudget, WarmupCosineDecay, adamw, fit_with_resume
from tests.classifiers import INDICES, TEXTS, make_classifier, make_preprocessor

READY = {name: tensor.numpy() for name, tensor in make_preprocessor()(TEXTS).items()}


@pytest.fixture
def clock(monkeypatch):
    """A clock that goes when it is told to."""
    clock = types.SimpleNamespace(now=1000.0)
    monkeypatch.setattr(time, "monotonic", lambda: clock.now)
    return clock


class Steps(keras.callbacks.Callback):
    """Notes the rate of each step, which takes ten seconds."""

    def __init__(self, clock):
        super().__init__()
        self.clock, self.rates = clock, []

    def on_train_batch_begin(self, batch, logs=None):
        self.rates.append(float(self.model.optimizer.learning_rate))
        self.clock.now += 10


def trained(clock, folder, runs, **settings):
    """Trains in runs that are cut off after some steps, the last one not; gives the rates of all."""
    rates = []
    for steps in (*runs, 10**6):
        classifier = make_classifier()
        classifier.compile(adamw(classifier.trainable_variables, 0.5), run_eagerly=True)
        checkpoints = Checkpoints(folder, classifier)
        log = Steps(clock)
        budget = TimeBudget(100, peak=8.0, warmup=0.2, spent=checkpoints.find().seconds, **settings)
        dataset = tf.data.Dataset.from_tensors((READY, INDICES, tf.ones(7))).repeat()
        fit_with_resume(
            classifier,
            lambda step, dataset=dataset: dataset,
            steps=steps,
            steps_per_epoch=4,
            checkpoints=checkpoints,
            callbacks=[budget, log],
            verbose=0,
        )
        rates += log.rates
    return rates


def test_rates_go_by_the_time_over_all_runs(clock, tmp_path):
    expected = [0, 4, 8, 7, 6, 5, 4, 3, 2, 1]
    assert trained(clock, tmp_path / "one", []) == pytest.approx(expected)
    assert trained(clock, tmp_path / "several", [3, 6]) == pytest.approx(expected)


def test_a_phase_ends_at_its_share_and_another_form_is_that_of_the_steps(clock, tmp_path):
    schedule = WarmupCosineDecay(8.0, 100, 20)
    expected = [float(schedule(seconds)) for seconds in range(0, 60, 10)]
    rates = trained(clock, tmp_path, [], end=0.6, schedule=WarmupCosineDecay)
    assert rates == pytest.approx(expected) and expected[2] == 8


def test_an_optimizer_with_a_schedule_is_refused():
    classifier = make_classifier()
    with pytest.raises(ValueError, match="sets the learning rate. Received: an optimizer with a schedule.*adamw"):
        classifier.fit(READY, INDICES, callbacks=[TimeBudget(100, peak=1.0)], verbose=0)


@pytest.mark.parametrize(
    "wrong",
    [
        *({"seconds": value} for value in (0, -1, "a", float("nan"))),
        *({"peak": value} for value in ("a", float("nan"))),
        *({"spent": -5}, {"end": float("nan")}, {"warmup": None}),
    ],
)
def test_a_budget_is_of_finite_numbers(wrong):
    with pytest.raises(ValueError, match="must be of finite numbers of at least 0, and of seconds above 0. Received: "):
        TimeBudget(**{"seconds": 100, "peak": 1.0, **wrong})


def test_a_budget_sets_the_rate_of_an_optimizer_that_scales_losses(clock):
    classifier = make_classifier()
    optimizer = keras.optimizers.LossScaleOptimizer(adamw(classifier.trainable_variables, 1e-3))
    classifier.compile(optimizer)
    classifier.fit(READY, INDICES, batch_size=4, verbose=0, callbacks=[TimeBudget(100, 1.0, warmup=1.0), Steps(clock)])
    assert float(optimizer.inner_optimizer.learning_rate) == pytest.approx(0.1)
