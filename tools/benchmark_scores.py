"""The comparison of libraries over seeds."""

import math
import statistics

from benchmark_records import ratios


def summarize(runs: dict[str, list[dict]], dev_rows: int) -> dict:
    """Averages the runs of each peer, and compares the first peer with each of the others by the main score."""
    peers = list(runs)
    main_score = next(name for name in ("accuracy", "pearson", "f1") if name in runs[peers[0]][0])
    summary = {"peers": {}, "comparisons": {}}
    for peer, figures in runs.items():
        scores = {name: [run[name] for run in figures] for name in figures[0]}
        means = {name: statistics.mean(values) for name, values in scores.items() if "seconds" not in name}
        deviation = statistics.stdev(scores[main_score]) if len(figures) > 1 else None
        seconds = statistics.median(scores["seconds"])
        mean = means[main_score]
        # What another dev set of this size would change: the binomial's error, or a correlation's.
        spread = (
            (1 - mean**2) / math.sqrt(dev_rows)
            if main_score == "pearson"
            else math.sqrt(mean * (1 - mean) / dev_rows)
        )
        summary["peers"][peer] = {
            "runs": len(figures),
            "mean": means,
            "standard_deviation": deviation,
            "dev_standard_error": spread,
            "median_seconds": seconds,
        }
    ours = summary["peers"][peers[0]]
    for peer in peers[1:]:
        theirs = summary["peers"][peer]
        errors = [(part["standard_deviation"], part["runs"]) for part in (ours, theirs)]
        known = all(deviation is not None for deviation, _ in errors)
        summary["comparisons"][peer] = {
            "difference": ours["mean"][main_score] - theirs["mean"][main_score],
            "standard_error": math.sqrt(sum(sd**2 / n for sd, n in errors)) if known else None,
            **ratios([run["seconds"] for run in runs[peers[0]]], [run["seconds"] for run in runs[peer]]),
        }
    return summary


def print_summary(summary: dict) -> None:
    """Prints the summary for a reader."""
    for peer, part in summary["peers"].items():
        scores = "  ".join(f"{name} {value:.4f}" for name, value in part["mean"].items())
        print(
            f"mean of {part['runs']}  {peer:<12}  {part['median_seconds']:7.1f} s (median)  {scores}  "
            f"(standard error of the dev set {part['dev_standard_error']:.4f})"
        )
    ours = next(iter(summary["peers"]))
    for peer, part in summary["comparisons"].items():
        error = "unknown: one seed" if part["standard_error"] is None else f"{part['standard_error']:.4f}"
        pairs = ", ".join(f"{ratio:.2f}" for ratio in part["ratios"])
        print(f"{ours} - {peer}: {part['difference']:+.4f} (standard error over seeds {error})")
        print(f"time of {peer} / {ours}: median {part['median_ratio']:.2f} (seed by seed: {pairs})")
