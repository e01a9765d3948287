"""The scores equal scikit-learn's and SciPy's, and are 0.0 where those are undefined."""

import numpy as np
import pytest

from keras_bert.metrics import scores

PAIRS_OF_CLASSES = {
    "two_classes": ([0, 1, 1, 0, 1, 0, 1], [0, 1, 0, 0, 1, 1, 1]),
    "four_classes": ([0, 3, 1, 2, 3, 3, 1, 0], [0, 3, 2, 2, 1, 3, 1, 3]),
    "predicted_class_not_in_true": ([0, 0, 1], [0, 2, 1]),
    "one_class_predicted": ([0, 1, 1], [1, 1, 1]),
    "one_class_true": ([1, 1, 1], [1, 0, 1]),
    "one_class_both": ([1, 1, 1], [1, 1, 1]),
    "class_0_only": ([0, 0], [0, 0]),
    "all_wrong": ([0, 1], [1, 0]),
    "one_example": ([1], [0]),
}


@pytest.fixture(params=[*PAIRS_OF_CLASSES, *range(6)])
def classes(request):
    if request.param in PAIRS_OF_CLASSES:
        return tuple(np.array(ids) for ids in PAIRS_OF_CLASSES[request.param])
    random = np.random.default_rng(request.param)
    num_classes = 2 + request.param
    return random.integers(num_classes, size=53), random.integers(num_classes, size=53)


@pytest.fixture(params=range(6))
def indicators(request):
    random = np.random.default_rng(request.param)
    true, predicted = random.random((2, 17, 5)) < 0.1 * request.param
    return true.astype(int), predicted.astype(int)


@pytest.fixture(params=range(6))
def numbers(request):
    random = np.random.default_rng(request.param)
    true = random.normal(size=29)
    predicted = true * random.normal() + random.normal(size=29)
    ties = 2 if request.param % 2 else 8  # decimals: few of them make many ties
    return true.round(ties), predicted.round(ties)


@pytest.mark.filterwarnings("ignore:A single label was found")  # scikit-learn's, on one class only
def test_class_scores_equal_scikit_learn(classes):
    sklearn = pytest.importorskip("sklearn.metrics")
    ours = [
        scores.accuracy(*classes),
        scores.f1_macro(*classes),
        scores.f1_micro(*classes),
        scores.matthews(*classes),
    ]
    theirs = [
        sklearn.accuracy_score(*classes),
        sklearn.f1_score(*classes, average="macro", zero_division=0),
        sklearn.f1_score(*classes, average="micro", zero_division=0),
        sklearn.matthews_corrcoef(*classes),
    ]
    np.testing.assert_allclose(ours, theirs, atol=1e-12)


@pytest.mark.parametrize("positive", [0, 1, 2])
def test_f1_of_one_class_equals_scikit_learn(classes, positive):
    sklearn = pytest.importorskip("sklearn.metrics")
    expected = sklearn.f1_score(*(ids == positive for ids in classes), zero_division=0)
    assert scores.f1(*classes, positive=positive) == pytest.approx(expected, abs=1e-12)


def test_scores_of_several_labels_equal_scikit_learn(indicators):
    sklearn = pytest.importorskip("sklearn.metrics")
    assert scores.accuracy(*indicators) == pytest.approx(sklearn.accuracy_score(*indicators))
    for ours, average in [(scores.f1_macro, "macro"), (scores.f1_micro, "micro")]:
        expected = sklearn.f1_score(*indicators, average=average, zero_division=0)
        assert ours(*indicators) == pytest.approx(expected, abs=1e-12)


def test_correlations_equal_scipy(numbers):
    stats = pytest.importorskip("scipy.stats")
    assert scores.pearson(*numbers) == pytest.approx(stats.pearsonr(*numbers).statistic, abs=1e-12)
    assert scores.spearman(*numbers) == pytest.approx(stats.spearmanr(*numbers).statistic, abs=1e-12)


def test_mean_squared_error_equals_scikit_learn(numbers):
    sklearn = pytest.importorskip("sklearn.metrics")
    assert scores.mean_squared_error(*numbers) == pytest.approx(sklearn.mean_squared_error(*numbers))


@pytest.mark.parametrize("score", [scores.pearson, scores.spearman])
@pytest.mark.parametrize("constant", [[0.1, 0.1, 0.1], [0.0, 0.0, 0.0], [1e200, 1e200, 1e200]])
def test_a_constant_series_correlates_with_nothing(score, constant):
    assert score(np.array(constant), np.array([1.0, 2.0, 4.0])) == 0.0
    assert score(np.array([1.0, 2.0, 4.0]), np.array(constant)) == 0.0
    assert score(np.array(constant), np.array(constant)) == 0.0


@pytest.mark.parametrize("scale", [1e-200, 1.0, 1e200])
def test_correlation_does_not_depend_on_the_scale(scale):
    assert scores.pearson(np.array([1.0, 2.0, 3.0]) * scale, np.array([2.0, 4.0, 6.0])) == pytest.approx(1.0)


@pytest.mark.parametrize("ends", [(-1.7e308, 1.7e308), (1.6e308, 1.7e308), (0.0, 5e-324)])
def test_correlation_reaches_to_the_ends_of_float64(ends):
    low, high = ends
    series = np.array([low, high, high, low])
    assert scores.pearson(series, np.array([1.0, 2.0, 3.0, 0.0])) == pytest.approx(2 / np.sqrt(5))


def test_a_single_number_correlates_with_nothing():
    assert scores.pearson(np.array([1.0]), np.array([2.0])) == 0.0


def test_one_class_only_has_no_matthews_correlation():
    assert scores.matthews(np.array([1, 1]), np.array([1, 1])) == 0.0


def test_a_class_that_never_occurs_has_f1_0():
    assert scores.f1(np.array([0, 0]), np.array([0, 0])) == 0.0


def test_no_labels_and_none_predicted_give_f1_0():
    nothing = np.zeros((3, 2), "int32")
    assert scores.f1_micro(nothing, nothing) == 0.0
    assert scores.f1_macro(nothing, nothing) == 0.0


@pytest.mark.parametrize(
    "score", [scores.accuracy, scores.f1, scores.f1_macro, scores.f1_micro, scores.matthews, scores.pearson]
)
def test_every_score_needs_one_prediction_for_each_example(score):
    with pytest.raises(ValueError, match=r"shapes \(3,\) and \(2,\).*one prediction for each example"):
        score(np.array([0, 1, 1]), np.array([0, 1]))
    with pytest.raises(ValueError, match=r"at least one example.*shapes \(0,\)"):
        score(np.array([]), np.array([]))


@pytest.mark.parametrize("score", [scores.pearson, scores.spearman, scores.mean_squared_error])
def test_numbers_that_are_not_finite_are_refused(score):
    with pytest.raises(ValueError, match="must be finite.*lower the learning rate"):
        score(np.array([1.0, 2.0]), np.array([1.0, np.nan]))
