"""The learning rate: transformers' schedules, built anew for the steps of each `fit`."""

import keras
import pytest
import tensorflow as tf

from keras_bert.training import (
    WarmupCosineDecay,
    WarmupInverseSquareRootDecay,
    WarmupLinearDecay,
    WarmupPolynomialDecay,
)
from tests.classifiers import INDICES, TEXTS, make_classifier, make_preprocessor

READY = {name: tensor.numpy() for name, tensor in make_preprocessor()(TEXTS).items()}


class RateLog(keras.callbacks.Callback):
    """Notes the rate that each update is made with."""

    def __init__(self):
        super().__init__()
        self.rates = []

    def on_train_batch_begin(self, batch, logs=None):
        self.rates.append(float(self.model.optimizer.learning_rate))


def rates_of(schedule, steps):
    return [float(schedule(step)) for step in steps]


@pytest.fixture
def classifier():
    classifier = make_classifier()
    classifier.compile(run_eagerly=True, learning_rate=0.01, warmup=0.34)
    return classifier


def rates_of_transformers(make, steps, **settings):
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], lr=0.5)
    theirs = getattr(transformers, make)(optimizer, **settings)
    rates = []
    for _ in range(steps):
        rates.append(theirs.get_last_lr()[0])
        optimizer.step()
        theirs.step()
    return rates


@pytest.mark.parametrize(("total", "warmup"), [(10, 3), (10, 0), (7, 7), (1, 0)])
def test_rates_are_those_of_transformers(total, warmup):
    expected = rates_of_transformers(
        "get_linear_schedule_with_warmup", total + 2, num_warmup_steps=warmup, num_training_steps=total
    )
    schedule = WarmupLinearDecay(0.5, total, warmup)
    assert rates_of(schedule, range(total + 2)) == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize("warmup", [0, 7])
@pytest.mark.parametrize("power", [0.7, 2.0])
def test_rates_of_a_power_are_those_of_transformers(warmup, power):
    settings = {"num_warmup_steps": warmup, "num_training_steps": 50, "lr_end": 0.0, "power": power}
    expected = rates_of_transformers("get_polynomial_decay_schedule_with_warmup", 53, **settings)
    schedule = WarmupPolynomialDecay(0.5, 50, warmup, power=power)
    assert rates_of(schedule, range(53)) == pytest.approx(expected, abs=2e-7)


@pytest.mark.parametrize("warmup", [0, 7])
def test_rates_of_a_cosine_are_those_of_transformers_and_stay_at_0(warmup):
    """After the end transformers' rise again."""
    settings = {"num_warmup_steps": warmup, "num_training_steps": 50}
    expected = rates_of_transformers("get_cosine_schedule_with_warmup", 51, **settings)
    schedule = WarmupCosineDecay(0.5, 50, warmup)
    assert rates_of(schedule, range(51)) == pytest.approx(expected, abs=2e-7)
    assert rates_of(schedule, range(50, 99)) == [0] * 49


@pytest.mark.parametrize("warmup", [0, 7])
def test_rates_of_an_inverse_square_root_are_those_of_transformers(warmup):
    expected = rates_of_transformers("get_inverse_sqrt_schedule", 200, num_warmup_steps=warmup)
    for schedule in (
        WarmupInverseSquareRootDecay(0.5, warmup_steps=warmup),
        WarmupInverseSquareRootDecay(0.5, 50, warmup),  # whatever the number of steps
    ):
        assert rates_of(schedule, range(200)) == pytest.approx(expected, abs=2e-7)


def test_rates_written_out():
    schedule = WarmupLinearDecay(peak=8.0, total_steps=6, warmup_steps=2)
    assert rates_of(schedule, range(8)) == [0, 4, 8, 6, 4, 2, 0, 0]


def test_a_later_beginning_shifts_the_rates():
    schedule = WarmupLinearDecay(peak=8.0, total_steps=6, warmup_steps=2, first_step=100)
    assert rates_of(schedule, [99, 100, 101, 102, 105, 106]) == [0, 0, 4, 8, 2, 0]


@pytest.mark.parametrize(
    "schedule",
    [
        WarmupLinearDecay(peak=8.0, total_steps=6, warmup_steps=2, first_step=3),
        WarmupPolynomialDecay(peak=8.0, total_steps=6, warmup_steps=2, first_step=3, power=1.5),
        WarmupCosineDecay(peak=8.0, total_steps=6, warmup_steps=2, first_step=3),
        WarmupInverseSquareRootDecay(peak=8.0, warmup_steps=2, first_step=3),
    ],
)
def test_a_schedule_survives_its_config(schedule):
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(schedule))
    assert type(again) is type(schedule) and again.get_config() == schedule.get_config()
    rates = rates_of(schedule, range(12))
    assert rates_of(again, range(12)) == rates
    assert rates[3:6] == [0, 4, 8] and max(rates) == 8


@pytest.mark.parametrize("warmup", [-1, 7])
def test_a_warmup_outside_of_the_whole_is_refused(warmup):
    with pytest.raises(ValueError, match=f"`total_steps`. Received: warmup_steps={warmup}, total_steps=6"):
        WarmupLinearDecay(8.0, 6, warmup)


def test_a_power_that_does_not_fall_is_refused():
    with pytest.raises(ValueError, match="`power` must be above 0. Received: power=0"):
        WarmupPolynomialDecay(8.0, 6, power=0)


def test_each_fit_has_its_own_rise_and_fall(classifier):
    first, second = RateLog(), RateLog()
    # 7 examples in batches of 3: 3 updates an epoch, so 6, and int(0.34 * 6) = 2 of them rise.
    classifier.fit(READY, INDICES, batch_size=3, epochs=2, verbose=0, callbacks=[first])
    assert first.rates == pytest.approx([0, 0.005, 0.01, 0.0075, 0.005, 0.0025])
    classifier.fit(READY, INDICES, batch_size=3, epochs=1, verbose=0, callbacks=[second])
    assert second.rates == pytest.approx([0, 0.01, 0.005])
    assert int(classifier.optimizer.iterations) == 9


def test_the_schedule_counts_updates_and_not_parts_of_them(classifier):
    classifier.compile(run_eagerly=True, learning_rate=0.01, warmup=0.34, gradient_accumulation_steps=3)
    log = RateLog()
    classifier.fit(READY, INDICES, batch_size=3, verbose=0, callbacks=[log])
    assert log.rates == pytest.approx([0, 0.01, 0.005])
    assert int(classifier.optimizer.iterations) == 3


def test_a_fit_goes_by_the_schedule_that_was_compiled(classifier, tmp_path):
    """Also after the model came from a file, and where its count of updates then is."""
    classifier.compile(run_eagerly=True, learning_rate=0.01, warmup=0.34, schedule=WarmupCosineDecay)
    first, second = RateLog(), RateLog()
    classifier.fit(READY, INDICES, batch_size=3, epochs=2, verbose=0, callbacks=[first])
    expected = rates_of(WarmupCosineDecay(0.01, 6, 2), range(6))
    assert first.rates == pytest.approx(expected) and expected[4] == pytest.approx(0.005)
    classifier.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert int(again.optimizer.iterations) == 6
    again.run_eagerly = True
    again.fit(READY, INDICES, batch_size=3, verbose=0, callbacks=[second])
    assert second.rates == pytest.approx(rates_of(WarmupCosineDecay(0.01, 3, 1), range(3)))


@pytest.mark.parametrize("schedule", ["cosine", WarmupCosineDecay(1.0, 2), int, keras.optimizers.schedules.CosineDecay])
def test_what_no_schedule_can_be_made_of_is_refused(classifier, schedule):
    with pytest.raises(ValueError, match="`schedule` must be a class.*Received: .*without calling it"):
        classifier.compile(schedule=schedule)


@pytest.mark.parametrize(
    "wrong",
    [
        *({"learning_rate": value} for value in ("a", float("nan"), -1, float("inf"))),
        *({"warmup": value} for value in (2.0, -1, float("nan"), "a")),
    ],
)
def test_rates_are_finite_and_warm_ups_shares(classifier, wrong):
    with pytest.raises(ValueError, match="`warmup` a share from 0 to 1. Received: learning_rate="):
        classifier.compile(**wrong)


def test_a_schedule_that_is_not_known_where_a_model_is_read_is_named(classifier, tmp_path):
    class MyDecay(WarmupCosineDecay):
        pass

    classifier.compile(schedule=MyDecay)
    classifier.save(tmp_path / "model.keras")
    with pytest.raises(ValueError, match="must be known where a model is read. Received: 'MyDecay'"):
        keras.saving.load_model(tmp_path / "model.keras")
    read = keras.saving.load_model(tmp_path / "model.keras", custom_objects={"MyDecay": MyDecay})
    assert read.schedule is MyDecay


@pytest.fixture
def planned_steps(classifier, monkeypatch):
    """Tells for how many updates a `fit` plans, without making them."""
    monkeypatch.setattr(keras.Model, "fit", lambda self, *args, **kwargs: None)

    def planned(*args, **kwargs):
        classifier.fit(*args, **kwargs)
        return classifier.optimizer._learning_rate.total_steps

    return planned


def test_steps_are_counted_where_the_dataset_does_not_tell(planned_steps):
    dataset = tf.data.Dataset.from_tensor_slices((TEXTS, INDICES)).filter(lambda text, label: text != "good")
    assert dataset.cardinality() == tf.data.UNKNOWN_CARDINALITY
    assert planned_steps(dataset.batch(4), epochs=5) == 10
    assert planned_steps(dataset, batch_size=5, epochs=5) == 10


def test_steps_of_other_epochs(planned_steps):
    dataset = tf.data.Dataset.from_tensor_slices((TEXTS, INDICES)).batch(2)
    assert planned_steps(dataset, epochs=3) == 12
    assert planned_steps(dataset, epochs=3, initial_epoch=1) == 8
    assert planned_steps(dataset.repeat(), epochs=3, steps_per_epoch=5) == 15
    assert planned_steps(TEXTS, INDICES, epochs=3, batch_size=2, validation_split=0.25) == 9


def test_an_optimizer_of_the_user_keeps_its_rate():
    classifier = make_classifier()
    classifier.compile(optimizer=keras.optimizers.Adam(0.02), run_eagerly=True)
    log = RateLog()
    classifier.fit(READY, INDICES, batch_size=4, verbose=0, callbacks=[log])
    assert log.rates == pytest.approx([0.02, 0.02])
