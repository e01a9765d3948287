"""GLUE's scores as a table, in hundredths, as they are published."""

from collections.abc import Mapping

import numpy as np
from glue_data import TASKS

WRITTEN = {"accuracy": "accuracy", "f1": "F1", "matthews": "Matthews", "pearson": "Pearson", "spearman": "Spearman"}


def average(found: Mapping[str, Mapping]) -> float:
    """Gives GLUE's score: the mean of the tasks' scores, each of which is the mean of its metrics."""
    return float(np.mean([scores["score"] for scores in found.values()]))


def shown(scores: Mapping[str, float]) -> str:
    """Writes metrics in hundredths, as GLUE does: "F1 88.9, accuracy 84.1"."""
    parts = []
    for name, value in scores.items():
        metric, _, dev_set = name.partition("_")  # "accuracy_matched"
        if metric in WRITTEN:
            parts.append(f"{WRITTEN[metric]} {dev_set} {100 * value:.1f}".replace("  ", " "))
    return ", ".join(parts)


def table(found: Mapping[str, Mapping]) -> str:
    """Writes a Markdown table of the tasks' results, and their average."""
    rows = [("task", "trained on", "dev", "score"), ("---", "---:", "---", "---:")]
    for task, scores in found.items():
        score, spread = f"{100 * scores['score']:.1f}", scores["standard_deviation"]
        score += "" if spread is None else f" ± {100 * spread:.1f}"
        rows.append((task, f"{scores['examples']['train']:,}", shown(scores), score))
    rows.append((f"average of {len(found)} of {len(TASKS)} tasks", "", "", f"{100 * average(found):.1f}"))
    text = "".join("| " + " | ".join(row) + " |\n" for row in rows)
    seeds = len(next(iter(found.values()))["runs"])
    return text + (f"\nMean ± standard deviation of {seeds} seeds.\n" if seeds > 1 else "")
