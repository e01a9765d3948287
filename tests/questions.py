"""What SavedModels of every task are asked, and how their answers are judged."""

import numpy as np

from tests.classifiers import TEXTS

OTHERS = ["no", "yes film", "a", "story", "is it", "the day", "long"]
ODD = ["", " ", "\u4e2d\u6587 Film", "FINE\0 bore", "a film " * 1000, "é" * 300, "[SEP] a"]
MODELS = {
    "single_label": {"labels": ("bad", "größer", "fine"), "task": "single_label", "num_layers": 2},
    "multi_label": {"labels": ("x", "größer", "z"), "task": "multi_label"},
    "regression": {"labels": None, "task": "regression", "pairs": True},
}


def questions_for(name):
    """All at once, odd ones, one alone, none."""
    lists = (TEXTS, ODD, TEXTS[3:4], [])
    if name != "regression":
        return [{"text": texts} for texts in lists]
    return [{"text": texts, "text_pair": OTHERS[: len(texts)]} for texts in lists]


def expected_answers(classifier, question):
    texts = tuple(question.values())
    return classifier.predict(texts if len(texts) == 2 else texts[0], verbose=0)


def assert_right(classifier, found, expected, atol):
    """Checks what a SavedModel gave, as lists, against what `predict` gives."""
    rows, width = expected.shape
    for name in {"probabilities", "logits"} & set(found):
        assert np.shape(found[name]) == ((rows, width) if rows else (0,)), name
    if classifier.task == "regression":
        assert set(found) == {"score", "logits"}
        np.testing.assert_allclose(found["score"], expected[:, 0], atol=atol)
        np.testing.assert_allclose(np.ravel(found["logits"]), expected[:, 0], atol=atol)
        return
    assert set(found) == {"label", "score", "probabilities", "logits"}
    logits = np.reshape(found["logits"], expected.shape)
    np.testing.assert_allclose(np.reshape(found["probabilities"], expected.shape), expected, atol=atol)
    np.testing.assert_allclose(classifier.activate(logits), expected, atol=atol)
    np.testing.assert_allclose(found["score"], expected.max(axis=1), atol=atol)
    if classifier.task == "single_label":
        assert found["label"] == [classifier.labels[place] for place in expected.argmax(axis=1)]
    else:
        chosen = [[classifier.labels[place] for place in np.flatnonzero(row > 0.5)] for row in expected]
        assert found["label"] == ["|".join(names) for names in chosen]
