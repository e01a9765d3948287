"""What the benchmarks share: processes of their own for the peers, and a results file that a kill cannot shorten."""

import argparse
import datetime
import importlib
import importlib.metadata
import json
import os
import pathlib
import platform
import shlex
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"
MODEL = ROOT.parent / "shared" / "models" / "all-MiniLM-L6-v2"
PACKAGES = (
    "keras",
    "tensorflow",
    "tensorflow-text",
    "jax",
    "torch",
    "transformers",
    "sentence-transformers",
    "tokenizers",
    "keras-hub",
)

sys.path.insert(0, str(ROOT))  # what is measured is this checkout, whatever is installed
# Before anything imports TensorFlow or torch: the peers are compared on the CPU unless the user says otherwise.
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def benchmark_parser(doc: str) -> argparse.ArgumentParser:
    """Makes a parser with the flags that every benchmark takes.

    Args:
        doc: str. The tool's docstring.

    Returns:
        `argparse.ArgumentParser`.
    """
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = ROOT / "tools" / "benchmark_results.jsonl"
    parser.add_argument(
        "--results", type=pathlib.Path, default=default, help=f"Lines are added. Default: {default}."
    )
    parser.add_argument("--worker", help=argparse.SUPPRESS)  # the peer that this process measures
    parser.add_argument(
        "--answer", type=pathlib.Path, help=argparse.SUPPRESS
    )  # where it writes what it found
    return parser


def peer_list(text: str, known) -> list[str]:
    """Reads a list of peers from a flag.

    Args:
        text: str. Names with commas between them.
        known: collection of str.

    Returns:
        list of str.

    Raises:
        ValueError: a name that is not known.
    """
    peers = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in peers if name not in known]
    if unknown or not peers:
        raise ValueError(f"`--peers` must be among {', '.join(known)}. Received: {text!r}.")
    return peers


def need(package: str):
    """Imports a peer's package.

    Args:
        package: str.

    Returns:
        The module.

    Raises:
        SystemExit: it is not installed.
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise SystemExit(
            f"This comparison needs {package}. Received: {error}. "
            "Install the extra 'oracles', or leave the peer out of --peers."
        ) from error


def run_worker(script: str, argv: list[str], peer: str, *more) -> dict:
    """Runs a benchmark's worker in a process of its own: the thread pools of TensorFlow and torch disturb each other.

    Args:
        script: str. The tool's `__file__`.
        argv: list of str. The tool's own flags.
        peer: str. Which worker.
        *more: flags and values of this worker.

    Returns:
        dict, what the worker gave to `answer`.

    Raises:
        SystemExit: the worker failed; with the end of what it wrote.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder, "answer.json")
        flags = [*argv, "--worker", peer, "--answer", str(file), *map(str, more)]
        done = subprocess.run(
            [sys.executable, script, *flags],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode or not file.is_file():
            raise SystemExit(
                f"{peer} failed with {done.returncode}: {shlex.join(flags)}\n{done.stdout[-3000:]}"
            )
        return json.loads(file.read_text(encoding="utf-8"))


def answer(args: argparse.Namespace, figures: dict) -> dict:
    """Hands a worker's figures to the process that started it.

    Args:
        args: the flags.
        figures: dict that JSON can hold.

    Returns:
        dict, the figures.
    """
    if args.answer:
        args.answer.write_text(json.dumps(figures), encoding="utf-8")
    return figures


def record(
    args: argparse.Namespace, script: str, argv: list[str], neighbours: "Neighbours", **figures
) -> dict:
    """Adds a line to the results file, at once and whole.

    Args:
        args: the flags.
        script: str. The tool's `__file__`.
        argv: list of str. The tool's own flags.
        neighbours: `Neighbours`. What others took of the machine goes into the line.
        **figures: what was measured.

    Returns:
        dict, the line.
    """
    line = {
        "command": shlex.join(["python", f"tools/{pathlib.Path(script).name}", *argv]),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "others": neighbours.share(),
        "versions": versions(),
        **figures,
    }
    args.results.parent.mkdir(parents=True, exist_ok=True)
    with args.results.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
    return line


def cores() -> int:
    """Counts the processor's cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def machine() -> dict:
    """Tells what the figures were measured on."""
    model, flags = platform.processor() or platform.machine(), ""
    file = pathlib.Path("/proc/cpuinfo")
    if file.is_file():
        facts = dict(line.split(":", 1) for line in file.read_text().splitlines() if ":" in line)
        facts = {name.strip(): value.strip() for name, value in facts.items()}
        model, flags = facts.get("model name", model), facts.get("flags", "")
    fast = [flag for flag in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if flag in flags.split()]
    return {"cpu": model, "instructions": fast, "cores": cores()}


class Neighbours:
    """Watches how much of the machine other processes take; torch's threads lose far more to them than they take."""

    def __init__(self):
        self.last = self._now()
        load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
        if load > 0.5:
            print(f"The machine is busy (load {load:.1f}): the times will tell little.", file=sys.stderr)

    def share(self) -> float | None:
        """Gives the share of all cores that others took since the last call; None where it cannot be known."""
        (before, last), (now, total) = self.last, self._now()
        self.last = now, total
        if total is None or total - last < 1:  # the system counts in hundredths
            return None
        share = max(0.0, (now - before) / (total - last))
        if share > 0.05:
            print(f"Other processes took {share:.0%} of the machine: the times tell little.", file=sys.stderr)
        return round(share, 3)

    def _now(self):
        file = pathlib.Path("/proc/stat")
        if not file.is_file():
            return 0.0, None
        user, nice, system, idle, waiting, *more = (
            int(ticks) / os.sysconf("SC_CLK_TCK") for ticks in file.read_text().split()[1:9]
        )
        busy = user + nice + system + sum(more)
        own = os.times()
        return busy - sum(own[:4]), busy + idle + waiting


def versions() -> dict:
    """Gives the versions of Python and of the packages that are compared, where they are installed."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def ratios(ours: list[float], theirs: list[float]) -> dict:
    """Compares two series of times, measured in turn, pair by pair.

    Args:
        ours: list of float, seconds.
        theirs: list of float, seconds.

    Returns:
        dict: the ratio theirs / ours of each pair, so more than 1 is in our favour, and their median.
    """
    pairs = [their / our for our, their in zip(ours, theirs, strict=False)]
    return {"ratios": pairs, "median_ratio": statistics.median(pairs) if pairs else None}
