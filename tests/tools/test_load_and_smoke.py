"""A running server is asked what its card says, and as much as it can take."""

import json
import os
import shutil

import pytest

from tests.choosers import make_chooser
from tests.classifiers import make_classifier
from tests.servers import served, tool


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("loaded")
    make_classifier().export(folder / "sentiment" / "1")
    make_chooser().export(folder / "choices" / "1")
    return folder


@pytest.mark.parametrize("name", ["sentiment", "choices"])
def test_a_server_that_answers_as_the_card_says_passes(exported, capsys, name):
    with served(exported / name) as client:
        flags = ["--url", f"http://{client.rest_address.netloc}", "--model-name", name]
        assert tool("smoke_test").main([str(exported / name / "1" / "model_card.json"), *flags]) == []
    assert "3 examples asked, 0 problems" in capsys.readouterr().out


def test_a_server_of_another_model_does_not_pass(exported, tmp_path):
    card = json.loads((exported / "sentiment" / "1" / "model_card.json").read_text("utf-8"))
    outputs = card["examples"][0]["outputs"]
    outputs["label"][0], outputs["score"][0] = "unheard of", 0.123
    outputs["more"] = [0, 0, 0]
    (tmp_path / "card.json").write_text(json.dumps(card), "utf-8")
    with served(exported / "sentiment") as client:
        flags = ["--url", f"http://{client.rest_address.netloc}", "--model-name", "sentiment"]
        wrong = tool("smoke_test").main([str(tmp_path / "card.json"), *flags])
    assert [problem.split(":")[0] for problem in sorted(wrong)] == ["label", "more", "score"]


def test_a_server_that_is_not_there_is_waited_for_no_longer_than_asked(exported):
    card = str(exported / "sentiment" / "1" / "model_card.json")
    flags = ["--url", "http://127.0.0.1:1", "--model-name", "sentiment", "--wait", "0.6"]
    (said,) = tool("smoke_test").main([card, *flags])
    assert said.startswith("The model must be served. Received from http://127.0.0.1:1/v1/models/sentiment")


def load(exported, client, tmp_path, *more):
    flags = ["--target", client.grpc_address, "--connections", "3", "--seconds", "2", "--warm-up-seconds", "0.2"]
    flags += ["--capacity-seconds", "0.5", "--longest", "5", "--output", str(tmp_path)]
    return tool("load_test").main([str(exported / "sentiment" / "1"), *flags, *more])


def test_a_load_is_measured_and_drawn(exported, tmp_path):
    with served(exported / "sentiment") as client:
        found = load(exported, client, tmp_path, "--rate", "20", "--pid", str(os.getpid()))
    assert found["requests"] == 40
    assert found["errors"] == {}
    times = list(found["milliseconds"].values())
    assert times == sorted(times) and times[0] > 0
    assert min(found["megabytes"]) > 10
    assert json.loads((tmp_path / "load_test.json").read_text()) == found
    assert (tmp_path / "load_test.png").read_bytes().startswith(b"\x89PNG")


def test_a_server_that_falls_behind_shows_it(exported, tmp_path):
    """What waits in line counts: at ten times the capacity the last wait for most of the test."""
    with served(exported / "sentiment") as client:
        found = load(exported, client, tmp_path, "--share", "10")
    assert found["milliseconds"]["99"] > 5 * 1000 * 3 / found["capacity"]


def test_errors_are_counted_by_what_they_say(exported, tmp_path, capsys):
    with served(exported / "sentiment") as client, pytest.raises(SystemExit):
        load(exported, client, tmp_path, "--model-name", "unheard_of")
    assert "The server answers no request. Received: NOT_FOUND" in capsys.readouterr().err


def test_a_directory_without_a_card_is_refused(exported, tmp_path, capsys):
    shutil.copytree(exported / "sentiment" / "1", tmp_path / "1")
    (tmp_path / "1" / "model_card.json").unlink()
    with pytest.raises(SystemExit):
        tool("load_test").main([str(tmp_path / "1")])
    assert "model_card.json" in capsys.readouterr().err
