"""What is in a folder of checkpoints: the library's own, whole or broken, and what a user has put there."""

import json

import numpy as np
import pytest

from keras_bert.training import Checkpoints, Progress, SaveRule
from keras_bert.training.checkpoint_folder import read_state, write_state
from tests.classifiers import NAMES, TEXTS, make_classifier
from tests.training.fitting_run import Interrupted


def fit(folder, epochs=2, classifier=None, keep=2, **kwargs):
    classifier = classifier or make_classifier()
    options = {"batch_size": 4, "epochs": epochs, "verbose": 0, "save_rule": SaveRule(steps=1, keep=keep), **kwargs}
    history = classifier.fit(TEXTS, NAMES, checkpoint=folder, **options)
    return classifier, history


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_what_a_user_has_put_there_stays(tmp_path):
    for name in ("step-1000", "step-000000009", "step-000000008"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "thesis.txt").write_text("mine")
    archive = tmp_path / "archive"
    archive.mkdir()
    (archive / "variables.index").write_text("mine")
    (tmp_path / "step-000000007").symlink_to(archive)
    fit(tmp_path)
    assert (archive / "variables.index").read_text() == "mine"
    for name in ("step-1000", "step-000000009", "step-000000008"):
        assert (tmp_path / name / "thesis.txt").read_text() == "mine"


def test_a_checkpoint_that_was_moved_and_linked_is_read_and_its_link_deleted(tmp_path):
    fit(tmp_path / "run")
    (tmp_path / "run" / "step-000000004").rename(tmp_path / "moved")
    (tmp_path / "run" / "step-000000004").symlink_to(tmp_path / "moved")
    classifier, _ = fit(tmp_path / "run")
    assert int(classifier.optimizer.iterations) == 4
    Checkpoints(tmp_path / "run", classifier).save(Progress(step=5), keep=1)
    assert names(tmp_path / "run") == ["step-000000005"] and (tmp_path / "moved" / "state.json").exists()


def test_what_a_kill_left_unfinished_is_deleted(tmp_path):
    left = tmp_path / "step-000000009"
    (left / "variables_temp").mkdir(parents=True)
    (left / ".state.json.new").write_text("{")
    fit(tmp_path)
    assert names(tmp_path) == ["step-000000003", "step-000000004"]


def test_after_checkpoints_that_cannot_be_read_new_ones_stay(tmp_path):
    fit(tmp_path)
    for path in tmp_path.glob("*/state.json"):
        path.write_text("")
    with pytest.warns(UserWarning, match="passed over") as said, pytest.raises(KeyboardInterrupt):
        fit(tmp_path, callbacks=[Interrupted(2)])
    assert sum("passed over" in str(warning.message) for warning in said) == 2
    assert names(tmp_path) == [f"step-00000000{step}" for step in (1, 3, 4)]
    with pytest.warns(UserWarning, match="passed over"):
        classifier, _ = fit(tmp_path)
    for one, other in zip(classifier.get_weights(), fit(tmp_path / "whole")[0].get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-7)


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"[]", b"{}", b"5", b"null", b'{"sha256": 1}', b"\xff\xfe", b"[" * 100_000),
        *(b'{"progress": [], "configuration": {}}', b'{"progress": {"step": "4"}, "variables": null}'),
    ],
)
def test_a_state_that_was_not_written_here_is_passed_over(tmp_path, content):
    fit(tmp_path, epochs=1)
    (tmp_path / "step-000000002" / "state.json").write_bytes(content)
    with pytest.warns(UserWarning, match="passed over for the one before: '.*step-000000002'"):
        classifier, _ = fit(tmp_path, epochs=1)
    assert int(classifier.optimizer.iterations) == 2


def test_a_changed_digit_is_noticed(tmp_path):
    fit(tmp_path, epochs=1)
    path = tmp_path / "step-000000002" / "state.json"
    state = json.loads(path.read_text())
    state["progress"]["step"] = 1
    path.write_text(json.dumps(state))
    with pytest.warns(UserWarning, match="state.json is not what was written"):
        fit(tmp_path, epochs=1)


def test_a_state_comes_back_as_it_was(tmp_path):
    state = {"a": float("nan"), "b": [1e-17, "größer", None], "c": {"d": True}}
    write_state(str(tmp_path), state)
    write_state(str(tmp_path), state)
    assert repr(read_state(str(tmp_path))) == repr(state)
