"""Pictures of a training and of its predictions, as PNG files, drawn without a screen."""

import math
import os
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

# Fonts with Chinese, Japanese and Korean characters: the first that is installed and has the characters is used.
FONTS = (
    "DejaVu Sans",  # comes with matplotlib
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Noto Sans SC",
    "Source Han Sans SC",
    "PingFang SC",
    "Hiragino Sans GB",
    "Microsoft YaHei",
    "SimHei",
    "WenQuanYi Zen Hei",
    "WenQuanYi Micro Hei",
    "Droid Sans Fallback",
    "Arial Unicode MS",
)
LONGEST_NAME = 24  # characters


def learning_curve(path: str | os.PathLike, history: Mapping[str, Sequence[float]], best_epoch: int) -> None:
    """Draws what was measured on train and dev over the epochs, a panel each.

    Args:
        path: str or `os.PathLike`. The PNG to write.
        history: mapping from name to one number an epoch; `"loss"` is drawn with `"val_loss"`, and so on; what was
            measured on dev alone is drawn alone, what on train alone is left out.
        best_epoch: int, counted from 1. It is marked.

    Example:
    >>> learning_curve("curve.png", {"loss": [0.7, 0.4], "val_loss": [0.6, 0.5]}, best_epoch=2)
    """
    names = [name.removeprefix("val_") for name in history if name.startswith("val_")]
    figure = Figure(figsize=(4.8 * len(names), 3.6), layout="constrained")
    for axes, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
        curves = {label: key for label, key in (("train", name), ("dev", f"val_{name}")) if key in history}
        for label, key in curves.items():
            axes.plot(range(1, len(history[key]) + 1), history[key], marker="o", markersize=3, label=label)
        axes.axvline(best_epoch, color="grey", linewidth=0.8, linestyle=":", label="best epoch")
        axes.set(title=name.replace("_", " "), xlabel="epoch")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.legend()
    save(figure, path)


def curves_by_step(
    path: str | os.PathLike, history: Sequence[Mapping[str, float]], titles: Mapping[str, str]
) -> None:
    """Draws what was measured on training and on held-out text over the steps, a panel each.

    Args:
        path: str or `os.PathLike`. The PNG to write.
        history: sequence of the logs of each epoch, with their `step`; `"x"` is drawn with `"val_x"`.
        titles: mapping from the title of a panel to the name in the logs. Names that are not there are left out.

    Example:
    >>> curves_by_step("curve.png", [{"step": 10, "loss": 0.7, "val_loss": 0.6}], {"loss": "loss"})
    """
    shown = {title: name for title, name in titles.items() if f"val_{name}" in history[-1]}
    figure = Figure(figsize=(4.8 * len(shown), 3.6), layout="constrained")
    for axes, (title, name) in zip(figure.subplots(1, len(shown), squeeze=False)[0], shown.items(), strict=True):
        for key, label in ((name, "training"), (f"val_{name}", "held out")):
            steps, values = zip(*((logs["step"], logs[key]) for logs in history), strict=True)
            axes.plot(steps, values, marker="o", markersize=3, label=label)
        axes.set(title=title, xlabel="step")
        axes.legend()
    save(figure, path)


def confusion_matrix(
    path: str | os.PathLike, true: np.ndarray, predicted: np.ndarray, labels: Sequence[str]
) -> None:
    """Draws how often each true label was predicted as each label.

    Colours are shares of the row, so that a rare label shows as clearly as a common one; numbers are counts.

    Args:
        path: str or `os.PathLike`. The PNG to write.
        true: int array `(B,)` of label ids.
        predicted: int array `(B,)`.
        labels: sequence of str, the names of the ids.

    Example:
    >>> confusion_matrix("matrix.png", np.array([0, 1, 1]), np.array([0, 1, 0]), ["no", "yes"])
    """
    counts = np.zeros((len(labels), len(labels)), "int64")
    np.add.at(counts, (true, predicted), 1)
    _counts(path, counts, labels, labels, "predicted", "true")


def label_outcomes(
    path: str | os.PathLike, true: np.ndarray, predicted: np.ndarray, labels: Sequence[str]
) -> None:
    """Draws how often each label of a task with several labels an example was found, missed and wrongly given.

    Args:
        path: str or `os.PathLike`. The PNG to write.
        true: array `(B, C)` of 0 and 1.
        predicted: array `(B, C)` of 0 and 1.
        labels: sequence of str, the names of the columns.

    Example:
    >>> label_outcomes("outcomes.png", np.array([[0, 1]]), np.array([[1, 1]]), ["red", "blue"])
    """
    true, predicted = true == 1, predicted == 1
    counts = np.stack(
        [(true & predicted).sum(0), (true & ~predicted).sum(0), (~true & predicted).sum(0)], axis=1
    )
    _counts(path, counts, labels, ["found", "missed", "wrongly given"], "", "label")


def predicted_against_true(path: str | os.PathLike, true: np.ndarray, predicted: np.ndarray) -> None:
    """Draws predicted numbers over the true ones; perfect predictions lie on the line.

    Args:
        path: str or `os.PathLike`. The PNG to write.
        true: float array `(B,)`.
        predicted: float array `(B,)`.

    Example:
    >>> predicted_against_true("numbers.png", np.array([1.0, 2.0]), np.array([1.5, 1.8]))
    """
    figure = Figure(figsize=(4.8, 4.8), layout="constrained")
    axes = figure.subplots()
    axes.scatter(true, predicted, s=10, alpha=0.5)
    ends = [min(true.min(), predicted.min()), max(true.max(), predicted.max())]
    axes.plot(ends, ends, color="grey", linewidth=0.8)
    axes.set(xlabel="true", ylabel="predicted")
    save(figure, path)


def _counts(path, counts, rows, columns, xlabel, ylabel):
    # The square cells grow a figure until about 60 labels; more of them have cells too small for numbers.
    cell = min(0.55, 33 / max(counts.shape))
    figure = Figure(
        figsize=(3.2 + cell * counts.shape[1], 2.4 + cell * counts.shape[0]), layout="constrained"
    )
    axes = figure.subplots()
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="equal")
    figure.colorbar(image, ax=axes, label="share of the row", shrink=min(1, 4 / (cell * len(rows))))
    if cell > 0.3:
        for (row, column), count in np.ndenumerate(counts):
            colour = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, _short(count), ha="center", va="center", color=colour, fontsize=8)
    every = math.ceil(max(counts.shape) / 120)
    _name_ticks(axes, "x", columns, every, rotation=45 if len(columns) < 40 else 90)
    _name_ticks(axes, "y", rows, every, rotation=0)
    axes.set(xlabel=xlabel, ylabel=ylabel)
    save(figure, path)


def _name_ticks(axes: Axes, axis, names, every, rotation):
    family = font_for("".join(names))
    if family is None:  # boxes instead of characters tell nothing: the numbers are in metrics.json
        names, family = [f"label {number}" for number in range(len(names))], FONTS[0]
    names = [shortened(name) for name in names]
    set_ticks = axes.set_xticks if axis == "x" else axes.set_yticks
    # A dollar sign in a name is no formula.
    ticks = set_ticks(
        range(0, len(names), every), names[::every], family=family, rotation=rotation, parse_math=False
    )
    if axis == "x":
        for tick in ticks:
            tick.label1.set(ha="right" if rotation else "center", rotation_mode="anchor")


def font_for(characters: str) -> str | None:
    """Names the first of `FONTS` that is installed and has all of some characters, or None."""
    wanted = {ord(character) for character in characters if not character.isspace()}
    installed = {font.name: font.fname for font in font_manager.fontManager.ttflist}
    for name in FONTS:
        if name in installed and wanted <= set(font_manager.get_font(installed[name]).get_charmap()):
            return name
    return None


def shortened(name: str) -> str:
    """Cuts a name to `LONGEST_NAME` characters: its middle goes, as long names often differ at their ends."""
    half = LONGEST_NAME // 2
    return name if len(name) <= LONGEST_NAME else f"{name[: half - 1]}…{name[-half:]}"


def _short(count):
    return str(count) if count < 10_000 else f"{count / 1000:.0f}k"


def save(figure: Figure, path: str | os.PathLike) -> None:
    """Writes a figure as PNG."""
    FigureCanvasAgg(figure).print_png(os.fspath(path))
