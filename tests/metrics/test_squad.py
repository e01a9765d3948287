"""SQuAD's scores against published predictions and against tf-models-official's scorers."""

import contextlib
import io
import json
import lzma

import numpy as np
import pytest

from keras_bert.metrics import SquadScores, squad_questions, squad_scores

DEV = {"v1.1": "dev-v1.1.rebuilt.json.xz", "v2.0": "dev-v2.0.rebuilt.json.xz"}
WORDS = ["The", "a", "cat", "sat", "on", "an", "U.S.", "mat!", "—", "1,000", "猫"]


def read(path):
    with lzma.open(path, "rt", encoding="utf-8") as file:
        return json.load(file)


@pytest.mark.parametrize("version", DEV)
def test_published_predictions_have_their_published_scores(shared_data, version):
    folder = shared_data / "squad"
    golden = json.loads((folder / "metric_golden.json").read_text(encoding="utf-8"))
    dataset = read(folder / DEV[version])
    names = {"exact_match": "exact_match", "exact": "exact_match", "f1": "f1", "total": "total"}
    for system in golden[version].values():
        scores = squad_scores(dataset, read(folder / system["file"]))
        for name, value in system["scores"].items():
            if isinstance(value, dict):
                group = {"HasAns": "has_answer", "NoAns": "no_answer"}[name]
                for part, expected in value.items():
                    assert scores[f"{group}_{names[part]}"] == pytest.approx(expected, abs=1e-6)
            elif name in names:
                assert scores[names[name]] == pytest.approx(value, abs=1e-6)


def random_dataset(seed, impossible):
    random = np.random.default_rng(seed)

    def text():
        return " ".join(random.choice(WORDS, size=random.integers(0, 4)))

    questions = []
    for number in range(400):
        is_impossible = impossible and random.random() < 0.4
        answers = [] if is_impossible else [{"text": text(), "answer_start": 0} for _ in range(random.integers(1, 4))]
        extra = {"is_impossible": is_impossible} if impossible else {}
        questions.append({"id": str(number), "question": "?", "answers": answers, **extra})
    dataset = {"data": [{"title": "", "paragraphs": [{"context": "", "qas": questions}]}]}
    return dataset, {part["id"]: text() for part in questions}, {part["id"]: random.random() for part in questions}


def test_scores_of_1_1_equal_model_garden():
    theirs = pytest.importorskip("official.nlp.tools.squad_evaluate_v1_1", reason="Model Garden is the oracle")
    dataset, predictions, _ = random_dataset(3, impossible=False)
    del predictions["7"]
    expected = theirs.evaluate(dataset["data"], predictions)
    scores = squad_scores(dataset, predictions)
    assert scores["exact_match"] == pytest.approx(100 * expected["exact_match"], abs=1e-6)
    assert scores["f1"] == pytest.approx(100 * expected["final_f1"], abs=1e-6)


def test_scores_of_2_0_equal_model_garden():
    theirs = pytest.importorskip("official.nlp.tools.squad_evaluate_v2_0", reason="Model Garden is the oracle")
    dataset, predictions, no_answer_scores = random_dataset(4, impossible=True)
    with contextlib.redirect_stdout(io.StringIO()):
        expected = theirs.evaluate(dataset["data"], predictions, no_answer_scores)
    scores = squad_scores(dataset, predictions, no_answer_scores)
    names = {"exact_match": "exact", "f1": "f1", "total": "total"}
    names |= {f"has_answer_{name}": f"HasAns_{other}" for name, other in names.items()}
    names |= {f"no_answer_{name}": f"NoAns_{names[name]}" for name in ("exact_match", "f1", "total")}
    names |= {"best_exact_match": "final_exact", "best_exact_match_threshold": "final_exact_thresh"}
    names |= {"best_f1": "final_f1", "best_f1_threshold": "final_f1_thresh"}
    assert set(scores) == set(names)
    for name, other in names.items():
        assert scores[name] == pytest.approx(expected[other], abs=1e-6), name


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        ([], "SQuAD's structure"),
        ({"data": []}, "no question"),
        ({"data": [{"paragraphs": [{"context": "", "qas": [{"question": "?"}]}]}]}, "KeyError..id"),
        ({"data": [{"paragraphs": [{"context": "", "qas": [{"id": "1"}, {"id": "1"}]}]}]}, "the id '1' twice"),
    ],
)
def test_what_is_no_dataset_is_refused(dataset, message):
    with pytest.raises(ValueError, match=message):
        squad_scores(dataset, {})


def test_a_threshold_needs_a_score_for_each_question():
    dataset, predictions, no_answer_scores = random_dataset(1, impossible=True)
    del no_answer_scores["5"]
    with pytest.raises(ValueError, match="none for 1, '5' among them"):
        squad_scores(dataset, predictions, no_answer_scores)


@pytest.mark.parametrize(
    ("predictions", "message"),
    [
        ([{"answer": "cat"}], "must be a dict of id to answer"),
        ({"1": None}, "must be the texts of answers. Received: None for '1'"),
        ({"1": {"answer": "cat"}}, r"Received: {'answer': 'cat'} for '1'.*record..answer"),
        ({1: "cat"}, "by the ids of the questions. Received: 1, for example; the questions have ids such as '1'"),
    ],
)
def test_what_is_no_prediction_is_refused(predictions, message):
    dataset = {"data": [{"paragraphs": [{"context": "the cat", "qas": [{"id": "1", "answers": [{"text": "cat"}]}]}]}]}
    with pytest.raises(ValueError, match=message):
        squad_scores(dataset, predictions)
    with pytest.raises(ValueError, match="must hold the questions' texts. Received: none for '1'"):
        SquadScores(dataset)


@pytest.mark.parametrize("answers", [None, [{}], ["cat"], {"text": ["cat"]}, [{"text": None}]])
def test_answers_of_another_structure_are_refused(answers):
    dataset = {"data": [{"paragraphs": [{"context": "the cat", "qas": [{"id": "1", "answers": answers}]}]}]}
    with pytest.raises(ValueError, match="must be SQuAD's structure"):
        squad_questions(dataset)
