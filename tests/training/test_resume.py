"""Kill a trainer, start it again: it must end as if nothing had happened."""

import json
import pathlib
import random
import time

import pytest

from tests.training import pretraining_run
from tests.training.processes import finish, kill, start, steps_until

SCRIPT = pathlib.Path(__file__).parent / "pretraining_run.py"


def result(output):
    return json.loads((output / "result.json").read_text())


@pytest.fixture(scope="module")
def undisturbed(records, tmp_path_factory):
    output = tmp_path_factory.mktemp("undisturbed")
    finish(start(SCRIPT, records, output))
    return result(output)


def kill_after(process, steps, seconds=0.0):
    steps_until(process, steps)
    time.sleep(seconds)
    kill(process)


def states(output):
    return sorted((output / "checkpoints").glob("step-*/state.json"))


def test_a_killed_training_ends_as_if_nothing_had_happened(records, undisturbed, tmp_path):
    """Also where the newest checkpoint is cut short, and where the kill came while one was written."""
    kill_after(start(SCRIPT, records, tmp_path, "--pause", 0.05), steps=9, seconds=0.02)
    assert not (tmp_path / "result.json").exists() and len(states(tmp_path)) == 2
    newest = states(tmp_path)[-1].parent
    file = next(newest.glob("variables.data*"))
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    unfinished = tmp_path / "checkpoints" / "step-000000020"
    unfinished.mkdir()
    (unfinished / "variables.index").write_bytes(b"")
    (errors,) = finish(start(SCRIPT, records, tmp_path))
    assert "cannot be read and is passed over for the one before" in errors and newest.name in errors
    assert result(tmp_path) == undisturbed
    assert [epoch["step"] for epoch in undisturbed["history"]] == [6, 12, 18, 23]


@pytest.mark.slow
def test_twenty_kills_at_random_moments(records, undisturbed, tmp_path):
    draw = random.Random(0)
    for i in range(20):
        output = tmp_path / str(i)
        output.mkdir()
        kills = 0
        while not (output / "result.json").exists():
            process = start(SCRIPT, records, output, "--pause", 0.1)
            if kills < 3:
                kill_after(process, draw.randint(0, 8), draw.uniform(0, 0.3))
                kills += 1
            else:
                finish(process)
        assert result(output) == undisturbed


def test_a_finished_training_is_traced_once_and_not_repeated(records, tmp_path):
    _, progress, traced = pretraining_run.run(records, tmp_path)
    assert sorted(traced) == ["test_step", "train_step"]
    again, same, _ = pretraining_run.run(records, tmp_path)
    assert same.step == progress.step == 23 and same.history == progress.history
    assert int(again.optimizer.iterations) == 23  # restored: what is made of it is what was trained
    with pytest.raises(ValueError, match=r"can only go on as it began.*where seed was 1 and is 2"):
        pretraining_run.run(records, tmp_path, seed=2)
    with pytest.raises(ValueError, match=r"must be of the same model.*is \[\[106, 24\].*is \[\[106, 26\]"):
        pretraining_run.run(records, tmp_path, hidden_dim=26, steps=24)
