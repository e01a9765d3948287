"""Entity scores against seqeval's strict mode, in every scheme, on sequences that break the rules too."""

import numpy as np
import pytest

from keras_bert.metrics import EntityScores, entity_scores, tag_entities

MARKS = {"bio": "BI", "bioes": "BIES", "bmes": "BMES"}


def random_tags(scheme, seed, texts):
    random = np.random.default_rng(seed)
    tags = ["O"] + [f"{mark}-{label}" for mark in MARKS[scheme] for label in ("person", "place-name", "x")]
    weights = np.array([3.0] + [1.0] * (len(tags) - 1))
    return [list(random.choice(tags, size=random.integers(0, 12), p=weights / weights.sum())) for _ in range(texts)]


def changed(sequences, scheme, seed):
    random = np.random.default_rng(seed)
    others = random_tags(scheme, seed + 1, 1000)
    return [
        [tag if random.random() < 0.7 else str(random.choice(others[i] or ["O"])) for tag in tags]
        for i, tags in enumerate(sequences)
    ]


@pytest.mark.parametrize("scheme", MARKS)
def test_scores_equal_seqeval(scheme):
    report = pytest.importorskip("seqeval.metrics", reason="seqeval is the oracle")
    schemes = pytest.importorskip("seqeval.scheme")
    true = random_tags(scheme, 5, 1000)
    predicted = changed(true, scheme, 8)
    ours = entity_scores(true, predicted, scheme)
    # seqeval calls BMES' M an I.
    true, predicted = ([[tag.replace("M-", "I-") for tag in tags] for tags in part] for part in (true, predicted))
    theirs = report.classification_report(
        true,
        predicted,
        output_dict=True,
        mode="strict",
        scheme=schemes.IOB2 if scheme == "bio" else schemes.IOBES,
        zero_division=0,
    )
    assert set(ours["labels"]) == set(theirs) - {"micro avg", "macro avg", "weighted avg"}
    for name, scores in [("micro avg", ours), *ours["labels"].items()]:
        for score, other in (("precision",) * 2, ("recall",) * 2, ("f1", "f1-score"), ("support",) * 2):
            assert scores[score] == pytest.approx(theirs[name][other], abs=1e-12), (name, score)
    assert 0.1 < ours["f1"] < 0.9 and ours["support"] > 500


def test_entities_of_every_scheme():
    expected = [("a", 0, 3), ("b", 3, 4), ("b", 5, 7)]
    for scheme, tags in {
        "bio": "B-a I-a I-a B-b O B-b I-b",
        "bioes": "B-a I-a E-a S-b O B-b E-b",
        "bmes": "B-a M-a E-a S-b O B-b E-b",
    }.items():
        assert tag_entities(tags.split(), scheme) == expected
    assert tag_entities(["I-a", "O", "B-b", "I-a"]) == [("b", 2, 3)]
    assert tag_entities(["B-a", "I-a", "O", "E-a", "B-b", "B-c", "E-c"], "bioes") == [("c", 5, 7)]
    assert tag_entities([]) == []


def test_entities_themselves_are_compared():
    scores = entity_scores([[("person", 3, 9), ("place", 12, 15)]], [[("person", 3, 9), ("place", 12, 16)]], None)
    assert (scores["precision"], scores["recall"], scores["labels"]["place"]["f1"]) == (0.5, 0.5, 0.0)


def test_nothing_to_find_scores_0():
    scores = entity_scores([["O"]], [["O"]])
    assert scores == {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 0, "labels": {}}


@pytest.mark.parametrize(
    ("true", "predicted", "scheme", "message"),
    [
        ([["O"]], [["O"]], "iob1", "`scheme` must be one of bio, bioes, bmes. Received: 'iob1'"),
        ([["O"]], [["E-a"]], "bio", "'bio' must be O or one of B-LABEL, I-LABEL. Received: 'E-a'"),
        ([["B"]], [["O"]], "bio", "Received: 'B'"),
        ([["O"]], [["O", "O"]], "bio", "as many tags. Received: 1 and 2 in text 0"),
        ([["O"]], [], "bio", "as many texts. Received: 1 and 0"),
    ],
)
def test_what_is_no_tag_is_refused(true, predicted, scheme, message):
    with pytest.raises(ValueError, match=message):
        entity_scores(true, predicted, scheme)


@pytest.mark.parametrize(
    ("true", "scheme", "message"),
    [
        ([["B-x"]], None, "Without a scheme there must be entities.* Received: 'B-x' in text 0"),
        ([[("x", 1)]], None, r"Received: \('x', 1\) in text 0"),
        ([[{"label": "x"}]], None, "Received: {'label': 'x'}"),
        (["O"], "bio", "Tags must be a list of str for each text. Received: 'O'"),
        ([["O", None]], "bio", "Tags must be a list of str"),
        ([["O"]], ["bio"], r"`scheme` must be one of bio, bioes, bmes. Received: \['bio'\]"),
    ],
)
def test_what_is_no_entity_is_refused(true, scheme, message):
    with pytest.raises(ValueError, match=message):
        entity_scores(true, true, scheme)
    with pytest.raises(ValueError, match=message):
        EntityScores([["a"]], true, scheme)


def test_what_predict_gives_is_scored():
    true = [[("x", 0, 1), ("y", 2, 5)]]
    predicted = [[{"entity": "a", "label": "x", "start": 0, "end": 1, "score": 0.9}]]
    scores = entity_scores(true, predicted, None)
    assert (scores["precision"], scores["recall"]) == (1.0, 0.5)
