"""Pictures of an explanation, as PNG files: bars for the words, and where each layer looks."""

import os
import pathlib
import sys

import numpy as np
from explanation import Explanation
from matplotlib.figure import Figure

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "recipes"))
import plots

FOR, AGAINST = "#2166ac", "#b2182b"  # told apart by colour-blind readers too
MOST_BARS = 40
MOST_NAMED = 32  # tokens of a map


def attributions(path: str | os.PathLike, explanation: Explanation) -> None:
    """Draws what each word adds, a bar each in the order of the text; of many words those that count most.

    Args:
        path: str or `os.PathLike`. The PNG to write.
        explanation: `Explanation`.
    """
    words = explanation.words()
    chosen = sorted(np.argsort([-abs(word["value"]) for word in words], kind="stable")[:MOST_BARS])
    names = named([words[i]["word"] for i in chosen], [f"word {i + 1}" for i in chosen])
    values = [words[i]["value"] for i in chosen]
    figure = Figure(figsize=(7, 1.4 + 0.27 * max(len(chosen), 1)), layout="constrained")
    axes = figure.subplots()
    places = range(len(chosen))
    axes.barh(places, values, color=[FOR if value > 0 else AGAINST for value in values], height=0.7)
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_yticks(places, names, family=plots.font_for("".join(names)), parse_math=False)
    axes.set_ylim(len(chosen) - 0.4, -0.6)
    axes.margins(x=0.16)
    for place, value in zip(places, values, strict=True):
        gap = (4 if value >= 0 else -4, 0)
        side = "left" if value >= 0 else "right"
        axes.annotate(
            f"{value:+.3f}", (value, place), gap, textcoords="offset points", ha=side, va="center", fontsize=8
        )
    (title,) = named([explanation.title], [f"this {explanation.kind}"])
    shown = f", {len(chosen)} of {len(words)} words" if len(chosen) < len(words) else ""
    axes.set_title(
        f'What words add to "{title}"{shown}', family=plots.font_for(title), parse_math=False
    )
    axes.set_xlabel("against  \N{LEFTWARDS ARROW}   logit   \N{RIGHTWARDS ARROW}  for")
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    plots.save(figure, path)


def attention(path: str | os.PathLike, explanation: Explanation) -> None:
    """Draws where each layer looks, the mean of its heads.

    Args:
        path: str or `os.PathLike`. The PNG to write.
        explanation: `Explanation`.
    """
    tokens = explanation.attributions[0].tokens
    names = named(tokens, [f"token {i + 1}" for i in range(len(tokens))])
    family, has_names = plots.font_for("".join(names)), len(tokens) <= MOST_NAMED
    columns = min(3, len(explanation.attention))
    rows = -(-len(explanation.attention) // columns)
    side = max(2.6, 0.16 * len(tokens) + 0.9) if has_names else 3.2
    figure = Figure(figsize=(columns * side + 0.4, rows * side + 0.5), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in panels[len(explanation.attention) :]:
        axes.set_axis_off()
    for layer, (axes, scores) in enumerate(zip(panels, explanation.attention), start=1):
        axes.imshow(scores.mean(axis=0), cmap="Blues", vmin=0, interpolation="nearest")
        axes.set_title(f"layer {layer}", fontsize=10)
        ticks = range(len(tokens)) if has_names else []
        style = {"family": family, "fontsize": 7, "parse_math": False}
        axes.set_xticks(ticks, names if has_names else [], rotation=90, **style)
        axes.set_yticks(ticks, names if has_names else [], **style)
    figure.suptitle("Attention, mean of the heads: each row looks at the columns", fontsize=11)
    plots.save(figure, path)


def named(texts, others: list[str]) -> list[str]:
    """Shortens texts; where no font has all their characters, and boxes would tell nothing, `others` stand in."""
    if plots.font_for("".join(texts)) is None:
        return others
    return [plots.shortened(" ".join(text.split())) for text in texts]
