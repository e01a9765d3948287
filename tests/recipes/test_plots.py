"""Any labels can be drawn: Chinese, long, many, with signs that mean something to the drawing library."""

import numpy as np
import plots
import pytest

NAMES = {
    "two": ["negative", "positive"],
    "chinese": ["负面", "正面"],
    "formula": ["$money$", "a_b^2 \\frac {"],
    "fifteen_long": [f"a rather long name of the label number {number}" for number in range(15)],
    "one_hundred_and_fifty": [f"label {number}" for number in range(150)],
}


def size(path):
    """Width and height, which stand at a fixed place in a PNG."""
    head = path.read_bytes()[:24]
    assert head.startswith(b"\x89PNG")
    return int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")


@pytest.fixture(autouse=True)
def _warnings_are_errors(recwarn):
    yield
    assert not [warning.message for warning in recwarn if "Glyph" in str(warning.message)]


@pytest.mark.parametrize("names", NAMES.values(), ids=NAMES)
def test_every_kind_of_label_is_drawn(tmp_path, names):
    true = np.arange(3 * len(names)) % len(names)
    plots.confusion_matrix(tmp_path / "a.png", true, np.roll(true, 1), names)
    plots.label_outcomes(tmp_path / "b.png", np.eye(len(names)), np.ones((len(names), len(names))), names)
    for name in ("a.png", "b.png"):
        width, height = size(tmp_path / name)
        assert 200 < width < 5000 and 200 < height < 5000


def test_long_names_keep_the_end_that_tells_them_apart():
    shortened = {plots.shortened(name) for name in NAMES["fifteen_long"]}
    assert len(shortened) == 15 and max(map(len, shortened)) == plots.LONGEST_NAME


def test_characters_without_a_font_become_numbers(tmp_path, monkeypatch):
    monkeypatch.setattr(plots, "font_for", lambda characters: None)
    plots.confusion_matrix(tmp_path / "a.png", np.array([0, 1]), np.array([0, 1]), NAMES["chinese"])
    assert size(tmp_path / "a.png")


def test_a_font_must_have_every_character():
    assert plots.font_for("plain text") == "DejaVu Sans"  # comes with the library
    assert plots.font_for("\U0001f600 \ue000") is None


@pytest.mark.parametrize("epochs", [1, 3])
def test_curves_and_numbers_are_drawn(tmp_path, epochs):
    values = list(np.linspace(0.9, 0.1, epochs))
    plots.learning_curve(
        tmp_path / "a.png", {"loss": values, "val_loss": values, "speed": values}, best_epoch=epochs
    )
    plots.predicted_against_true(tmp_path / "b.png", np.array([1.0, 1.0]), np.array([0.5, 2.0]))
    assert size(tmp_path / "a.png") and size(tmp_path / "b.png")
