"""What is right passes the check before deployment; what was tampered with, or is random, does not."""

import json
import shutil

import pytest
import tensorflow as tf

from tests.classifiers import make_classifier
from tests.labelers import make_labeler
from tests.servers import tool
from tests.taggers import make_tagger

MAKERS = {"sentiment": make_classifier, "answers": make_labeler, "people": make_tagger}


@pytest.fixture(scope="module")
def check():
    return tool("check_saved_model")


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("checked")
    for name, make in MAKERS.items():
        make().export(folder / name / "1")
    return folder


@pytest.mark.parametrize("name", MAKERS)
def test_an_export_passes(check, exported, capsys, name):
    found = check.main([str(exported / name)])
    assert found["problems"] == []
    assert found["oldest_server"] == "2.12"
    assert found["warm_up_requests"] == 67
    assert found["examples"][0]["rows"] == 3
    assert "Nothing is wrong." in capsys.readouterr().out


@pytest.fixture
def copy(exported, tmp_path):
    shutil.copytree(exported / "sentiment" / "1", tmp_path / "1")
    return tmp_path / "1"


@pytest.mark.parametrize(
    ("output", "value", "problem"),
    [("label", "unheard of", "other texts than on the card: label"), ("score", 0.123, "scores differ from the card's")],
)
def test_answers_that_are_not_the_cards_are_found(check, copy, output, value, problem):
    card = json.loads((copy / "model_card.json").read_text("utf-8"))
    card["examples"][0]["outputs"][output][1] = value
    (copy / "model_card.json").write_text(json.dumps(card), "utf-8")
    (said,) = check.main([str(copy)])["problems"]
    assert said.startswith(problem)


def write(folder, answer):
    function = tf.function(answer, input_signature=[tf.TensorSpec([None], tf.string, name="text")])
    tf.saved_model.save(tf.Module(), str(folder), signatures={"serving_default": function})


def write_card(folder, scores):
    example = {"signature": "serving_default", "inputs": {"text": ["a", "b"]}, "outputs": {"score": scores}}
    (folder / "model_card.json").write_text(json.dumps({"examples": [example]}))


def test_random_answers_are_found(check, tmp_path):
    write(tmp_path / "1", lambda text: {"score": tf.random.uniform(tf.shape(text))})
    write_card(tmp_path / "1", [0, 0])
    problems = check.main([str(tmp_path), "--tolerance", "1"])["problems"]
    assert problems == ["answers may be random: RandomUniform", "the same request gets other answers"]


def test_what_a_row_says_of_the_others_is_found(check, tmp_path):
    write(tmp_path / "1", lambda text: {"score": tf.ones_like(text, tf.float32) * tf.cast(tf.size(text), tf.float32)})
    write_card(tmp_path / "1", [2, 2])
    assert check.main([str(tmp_path)])["problems"] == ["a row alone gets another answer than among others"]


def test_operations_of_newer_servers_are_named(check, tmp_path, capsys):
    def answer(text):
        rows = tf.RaggedTensor.from_row_lengths(tf.strings.length(text), tf.ones_like(text, tf.int64))
        import tensorflow_text as tf_text

        return {"value": tf_text.RoundRobinTrimmer(5).trim([rows, rows])[0].to_tensor()}

    write(tmp_path / "1", answer)
    found = check.main([str(tmp_path)])
    assert found["problems"] == ["servers of 2.12 do not know TFText>RoundRobinTrim"]
    assert found["oldest_server"] == "2.20"
    assert "no model card" in capsys.readouterr().out
    assert check.main([str(tmp_path), "--minimum-server", "2.20"])["problems"] == []


def test_what_is_no_export_is_refused(check, copy, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    (copy / "model_card.json").write_text("{half")
    for folder, said in ((tmp_path / "empty", "A SavedModel must stand in"), (copy, "The model card must be JSON")):
        with pytest.raises(SystemExit, match="2"):
            check.main([str(folder)])
        assert said in capsys.readouterr().err
