"""Several worker processes fit, evaluate and predict as one device does, and a kill of one of them costs nothing."""

import json
import pathlib
import random
import signal
import time

import numpy as np
import pytest

from tests.training.processes import finish, kill, start, start_workers, steps_until

SCRIPT = pathlib.Path(__file__).parent / "workers_run.py"


def read(output, name):
    with np.load(output / f"{name}.npz") as arrays:
        return json.loads((output / f"{name}.json").read_text()), [arrays[key] for key in arrays.files]


def differences(found, expected):
    """The largest difference of each number, by its name."""
    pairs = {"losses": (found["losses"], expected["losses"])}
    pairs |= {name: (found["history"][name], values) for name, values in expected["history"].items()}
    pairs |= {f"evaluate {name}": (found["measured"][name], value) for name, value in expected["measured"].items()}
    return {name: float(np.abs(np.subtract(*values)).max()) for name, values in pairs.items()}


def assert_same_answers(found, expected):
    """Texts are equal, scores to 1e-4."""
    if isinstance(expected, dict):
        assert found.keys() == expected.keys()
        found, expected = list(found.values()), list(expected.values())
    if isinstance(expected, list):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert_same_answers(one, other)
    else:
        assert found == (pytest.approx(expected, abs=1e-4) if isinstance(expected, float) else expected)


def train(output, head, count, *flags):
    """Trains on one device and on so many workers at the same time."""
    flags = (head, output, *flags)
    finish(start(SCRIPT, *flags), *start_workers(SCRIPT, *flags, count=count))
    return read(output, "one"), [read(output, f"worker-{i}") for i in range(count)]


def assert_trains_alike(one, workers, steps):
    expected, weights = one
    assert len(expected["losses"]) == steps
    for found, its_weights in workers:
        assert {name: value for name, value in differences(found, expected).items() if value > 1e-5} == {}
        assert_same_answers(found["answers"], expected["answers"])
        for place, (mine, theirs) in enumerate(zip(weights, its_weights, strict=True)):
            if mine.dtype.kind == "f":
                np.testing.assert_allclose(mine, theirs, 0, 1e-4 if place in expected["unseen"] else 1e-5)
        for mine, theirs in zip(its_weights, workers[0][1], strict=True):
            np.testing.assert_array_equal(mine, theirs)
    for use in ("fit", "evaluate"):
        seen = [example for found, _ in workers for example in found["seen"][use]]
        assert sorted(seen) == sorted(expected["seen"][use])


def test_two_workers_fit_evaluate_and_predict_as_one_device(tmp_path):
    one, workers = train(tmp_path, "classifier", 2)
    assert_trains_alike(one, workers, steps=6)
    assert sorted(one[0]["seen"]["fit"]) == sorted(one[0]["seen"]["evaluate"]) == list(range(1, 22))


@pytest.mark.slow
@pytest.mark.parametrize(("count", "examples"), [(2, 35), (3, 37), (4, 33)])
def test_workers_train_fifty_steps_as_one_device_on_every_example_once(count, examples, tmp_path):
    one, workers = train(tmp_path, "classifier", count, "--count", examples, "--epochs", 10)
    assert_trains_alike(one, workers, steps=50)
    assert sorted(one[0]["seen"]["fit"]) == sorted(one[0]["seen"]["evaluate"]) == list(range(1, examples + 1))


@pytest.mark.slow
@pytest.mark.parametrize("head", ["span", "token", "masked", "choice", "pairs", "scores"])
@pytest.mark.parametrize("count", [2, 4])
def test_workers_train_the_other_heads_as_one_device(head, count, tmp_path):
    # Windows and rows are cut from 21 examples: 13, 6 and 13 batches of 8 an epoch; the others have 3.
    epochs = {"span": 4, "token": 9, "masked": 4}.get(head, 17)
    one, workers = train(tmp_path, head, count, "--epochs", epochs)
    assert_trains_alike(one, workers, steps=len(one[0]["losses"]))
    assert len(one[0]["losses"]) >= 50


@pytest.mark.slow
def test_kills_of_workers_cost_nothing(tmp_path):
    """Twenty times at a random moment a random worker: also the chief, also while it writes, as in each step."""
    undisturbed = tmp_path / "undisturbed"
    undisturbed.mkdir()
    flags = ("--epochs", 3)
    finish(*start_workers(SCRIPT, "classifier", undisturbed, "--checkpoint", undisturbed / "saved", *flags, count=2))
    _, expected = read(undisturbed, "worker-0")
    draw, kills, run = random.Random(0), 0, 0
    while kills < 20:
        output = tmp_path / str(run)
        output.mkdir()
        flags = ("classifier", output, "--checkpoint", output / "saved", "--epochs", 3)
        for _ in range(4):
            workers = start_workers(SCRIPT, *flags, "--pause", 0.2, count=2)
            victim = draw.randrange(2)
            steps_until(workers[victim], draw.randint(0, 2))
            time.sleep(draw.uniform(0, 0.3))
            workers[victim].kill()
            time.sleep(1)
            kill(*workers)
            kills += 1
        finish(*start_workers(SCRIPT, *flags, count=2))
        for i in range(2):
            for mine, theirs in zip(read(output, f"worker-{i}")[1], expected, strict=True):
                np.testing.assert_array_equal(mine, theirs)
        run += 1


@pytest.mark.slow
def test_a_worker_that_is_taken_back_ends_all_with_a_checkpoint(tmp_path):
    flags = ("classifier", tmp_path, "--checkpoint", tmp_path / "saved", "--epochs", 8)
    workers = start_workers(SCRIPT, *flags, "--pause", 0.2, "--steps-between-saves", 1000, count=2)
    steps_until(workers[1], 3)
    workers[1].send_signal(signal.SIGTERM)
    for worker in workers:
        worker.communicate(timeout=120)
    assert [worker.returncode for worker in workers] == [143, 143]
    (saved,) = (tmp_path / "saved").glob("step-*/state.json")
    assert 3 <= json.loads(saved.read_text())["progress"]["step"] < 24
    finish(*start_workers(SCRIPT, *flags, "--steps-between-saves", 1000, count=2))
    one, other = (read(tmp_path, f"worker-{i}") for i in range(2))
    assert len(one[0]["history"]["val_loss"]) == 8 and one[0]["history"] == other[0]["history"]
