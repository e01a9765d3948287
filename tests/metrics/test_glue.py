"""GLUE's scores equal scikit-learn's and SciPy's on random and degenerate predictions."""

import json
import warnings

import numpy as np
import pytest

from keras_bert.metrics import GLUE_LABELS, glue_scores

CASES = range(80)
BINARY = [task for task, labels in GLUE_LABELS.items() if labels == ("0", "1")]


def classes(seed, num_classes):
    """True and predicted ids: a few or many of them, often of one class only."""
    random = np.random.default_rng(seed)
    rows = random.choice([1, 2, 3, 7, 41])
    few, many = sorted(random.integers(1, num_classes + 1, size=2))
    true = random.integers(many, size=rows)
    predicted = random.integers(few if random.random() < 0.3 else many, size=rows)
    if random.random() < 0.5:
        true, predicted = num_classes - 1 - true, num_classes - 1 - predicted  # the last class only
    return true, predicted


def numbers(seed):
    """True scores with ties, and predicted ones: often constant, or the true ones' mirror image."""
    random = np.random.default_rng(seed)
    rows = random.choice([1, 2, 3, 7, 41])
    true = (random.random(rows) * 5).round(random.integers(3))
    predicted = true * random.normal() + random.normal(size=rows) * random.choice([0.0, 1e-9, 1.0])
    if random.random() < 0.4:
        predicted = np.full(rows, random.choice([0.0, 0.1, 1e200]))
    return true, predicted


def test_the_tasks_are_those_of_glue():
    assert list(GLUE_LABELS) == ["CoLA", "SST-2", "MRPC", "STS-B", "QQP", "MNLI", "QNLI", "RTE", "WNLI"]


@pytest.mark.filterwarnings("ignore:A single label was found", "ignore::sklearn.exceptions.UndefinedMetricWarning")
@pytest.mark.parametrize("task", [task for task, labels in GLUE_LABELS.items() if labels])
def test_labels_are_scored_as_by_scikit_learn(task):
    sklearn = pytest.importorskip("sklearn.metrics")
    functions = {
        "CoLA": {"matthews": sklearn.matthews_corrcoef},
        **dict.fromkeys(("MRPC", "QQP"), {"f1": sklearn.f1_score, "accuracy": sklearn.accuracy_score}),
    }.get(task, {"accuracy": sklearn.accuracy_score})
    seen = set()
    for seed in CASES:
        ids = classes(seed, len(GLUE_LABELS[task]))
        expected = {name: function(*ids) for name, function in functions.items()}
        expected["score"] = np.mean(list(expected.values()))
        found = glue_scores(task, *ids)
        assert list(found) == list(expected)
        assert found == pytest.approx(expected, abs=1e-12), (seed, ids)
        names = [[GLUE_LABELS[task][i] for i in part] for part in ids]
        assert glue_scores(task, *names) == glue_scores(task, names[0], ids[1]) == found
        seen.add(found["score"])
    assert len(seen) > 15


def test_numbers_are_scored_as_by_scipy_and_0_where_that_is_nan():
    stats = pytest.importorskip("scipy.stats")
    undefined = 0
    for seed in CASES:
        true, predicted = numbers(seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # SciPy's, of constant numbers
            too_few = len(true) < 2
            expected = {
                "pearson": np.nan if too_few else stats.pearsonr(true, predicted).statistic,
                "spearman": np.nan if too_few else stats.spearmanr(true, predicted).statistic,
            }
        undefined += np.isnan(expected["pearson"])
        expected = {name: float(np.nan_to_num(value)) for name, value in expected.items()}
        expected["score"] = np.mean(list(expected.values()))
        assert glue_scores("STS-B", true, predicted) == pytest.approx(expected, abs=1e-9), seed
    assert 10 < undefined < len(CASES) - 10


def test_scores_can_be_written():
    found = glue_scores("CoLA", np.array([1, 0, 1], "int32"), np.array([1.0, 0.0, 0.0], "float32"))
    assert json.loads(json.dumps(found)) == pytest.approx({"matthews": 0.5, "score": 0.5})


@pytest.mark.parametrize("task", ["cola", "AX", None, 3])
def test_an_unknown_task_is_named_with_the_known(task):
    with pytest.raises(ValueError, match=f"must be one of CoLA, SST-2, .*WNLI. Received: {task!r}"):
        glue_scores(task, [1], [1])


@pytest.mark.parametrize("task", GLUE_LABELS)
def test_there_must_be_a_prediction_for_each_label(task):
    with pytest.raises(ValueError, match=r"shapes \(3,\) and \(2,\).*one prediction for each example"):
        glue_scores(task, [0, 1, 1], [0, 1])
    with pytest.raises(ValueError, match=r"at least one example.*shapes \(0,\)"):
        glue_scores(task, [], [])


@pytest.mark.parametrize("wrong", [2, -1, 0.5, "yes", "entailment", None, float("nan"), [1], b"1"])
@pytest.mark.parametrize("task", BINARY)
def test_a_label_that_is_not_the_tasks_is_named(task, wrong):
    with pytest.raises(ValueError, match=f"{task} must be among 0, 1, or their ids, 0 to 1. Received: .* at index 1"):
        glue_scores(task, ["0", "1"], ["1", wrong])
    with pytest.raises(ValueError, match="Received: .* at index 0. Give one label for each example"):
        glue_scores(task, [wrong, "1"], ["0", "1"])


def test_a_label_of_another_task_is_named():
    with pytest.raises(ValueError, match="RTE must be among entailment, not_entailment, .*: 'neutral' at index 0"):
        glue_scores("RTE", ["neutral"], ["entailment"])


def test_what_is_no_finite_number_is_refused():
    with pytest.raises(ValueError, match="of STS-B must be numbers. Received: .'good'"):
        glue_scores("STS-B", [1.0, 2.0], ["good", "bad"])
    for wrong in (np.nan, np.inf):
        with pytest.raises(ValueError, match="must be finite"):
            glue_scores("STS-B", [1.0, 2.0], [1.0, wrong])
