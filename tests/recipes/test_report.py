"""What is written can be read: one line an example, JSON without NaN, files whole or not at all."""

import json

import numpy as np
import pytest
import report


def test_a_diverged_training_is_named():
    with pytest.raises(ValueError, match="diverged.*Lower the learning rate"):
        report.decide(np.array([[np.nan, 0.5]]), "single_label")


def test_json_has_null_where_a_number_is_not_finite(tmp_path):
    report.write_json(tmp_path / "a.json", {"loss": [1.0, float("nan")], "name": "好"})
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == {
        "loss": [1.0, None],
        "name": "好",
    }


def test_a_text_with_tabs_and_line_ends_stays_one_line(tmp_path):
    texts, true, outputs = [("a\tb\r\nc", "d\u2028e")], np.array([1]), np.array([[0.25, 0.75]])
    report.write_predictions(tmp_path / "a.tsv", texts, true, outputs, "single_label", ["no", "yes"])
    line = (tmp_path / "a.tsv").read_text(encoding="utf-8").split("\n")[1]
    assert line == "1\tyes\tyes\t0.250000\t0.750000\ta b c\td e"


def test_scores_are_those_of_the_task():
    true, predicted = np.array([0, 1, 1]), np.array([0, 1, 0])
    two = report.score(true, predicted, "single_label", num_classes=2)
    assert two["f1"] == pytest.approx(2 / 3)  # of label 1
    three = report.score(true, predicted, "single_label", num_classes=3)
    assert three["f1"] == three["f1_macro"] == two["f1_macro"]
    several = report.score(np.array([[1, 0]]), np.array([[1, 1]]), "multi_label", num_classes=2)
    assert several == {"f1_micro": pytest.approx(2 / 3), "f1_macro": pytest.approx(0.5)}
    numbers = report.score(np.array([1.0, 2.0]), np.array([1.0, 3.0]), "regression", num_classes=0)
    assert numbers == {"pearson": 1.0, "spearman": 1.0, "mse": 0.5}
