r"""Runs a recipe, or a script of yours, in several processes of this machine that train one model together.

    python recipes/launch_workers.py --workers 2 recipes/finetune_classifier.py --epochs 1

To try out on one machine what will run on several: each process is a worker of `MultiWorkerMirroredStrategy`. For
several GPUs of one machine one process with `--strategy mirrored` is enough.

The script gets `--strategy multi_worker`, unless it is given a --strategy, and the environment variable TF_CONFIG. What
the workers print has their names in front. When one fails, the others are ended and this ends with its exit status;
none is started again. Ctrl-C and SIGTERM end them all.

On several machines there is nothing to launch but the recipe itself with `--strategy multi_worker`, once on each, with
the same arguments and a TF_CONFIG that lists all of them:

- by hand, on the second of two machines:
  TF_CONFIG='{"cluster": {"worker": ["10.0.0.1:2222", "10.0.0.2:2222"]}, "task": {"type": "worker", "index": 1}}' \
      python recipes/finetune_classifier.py --strategy multi_worker ...
- SLURM, one worker a node, in a job of several:
  srun --ntasks-per-node 1 --kill-on-bad-exit bash -c '
    nodes=$(scontrol show hostnames | sed "s/.*/\"&:2222\"/" | paste -sd,)
    export TF_CONFIG="{\"cluster\": {\"worker\": [$nodes]}, \"task\": {\"type\": \"worker\", \"index\": $SLURM_PROCID}}"
    exec python recipes/finetune_classifier.py --strategy multi_worker ...'
- Kubernetes (Kubeflow's TFJob, with Chief and Worker replicas) and Vertex AI (a custom job with two worker pools) set
  TF_CONFIG: the command of every container is `python recipes/finetune_classifier.py --strategy multi_worker ...`.
"""

import argparse
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time

from flags import positive_int

_SECONDS_TO_END = 10.0


def main(argv: list[str] | None = None) -> int:
    """Runs the workers and returns the exit status: 0, or that of the first that failed."""
    parser = build_parser()
    args = parser.parse_args(argv)
    if not os.path.isfile(args.script):
        parser.error(f"There must be a script to run. Received: {args.script!r}. Check the path and the spelling.")
    given = any(flag == "--strategy" or flag.startswith("--strategy=") for flag in args.arguments)
    strategy = [] if given else ["--strategy", "multi_worker"]
    command = [sys.executable, "-u", args.script, *args.arguments, *strategy]

    def stop(number, frame):
        raise SystemExit(128 + number)  # as a shell tells of a signal

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    processes, readers = [], []
    try:
        for environment in environments(args.workers):
            # A session of its own: Ctrl-C comes to this process alone, which tells the workers.
            pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
            processes.append(subprocess.Popen(command, env=environment, start_new_session=True, **pipes))
            readers.append(threading.Thread(target=copy, args=(processes[-1].stdout, f"[worker {len(readers)}] ")))
            readers[-1].start()
        return watch(processes)
    finally:
        for number in before:  # a second Ctrl-C does not wait
            signal.signal(number, lambda *_: kill(processes, signal.SIGKILL))
        end(processes)
        for reader in readers:
            reader.join()
        for number, handler in before.items():
            signal.signal(number, handler)


def build_parser() -> argparse.ArgumentParser:
    """Returns the parser of the launcher's flags."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workers", type=positive_int, default=2, help="How many processes. Default: 2.")
    parser.add_argument("script", help="What each of them runs: the path of a recipe.")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="Its arguments, the same for each.")
    return parser


def environments(count: int) -> list[dict[str, str]]:
    """Makes the environment of each worker.

    Args:
        count: int.

    Returns:
        List of dict: this process' environment with a TF_CONFIG, on ports that are free now.

    Example:
    >>> len(environments(2))
    2
    """
    with contextlib.ExitStack() as stack:  # all are held until the last is found, so that none comes twice
        ports = [stack.enter_context(socket.create_server(("localhost", 0))).getsockname()[1] for _ in range(count)]
    cluster = {"worker": [f"localhost:{port}" for port in ports]}
    tasks = ({"type": "worker", "index": i} for i in range(count))
    return [os.environ | {"TF_CONFIG": json.dumps({"cluster": cluster, "task": task})} for task in tasks]


def watch(processes: list[subprocess.Popen]) -> int:
    """Waits until all have ended well, or the first has not.

    Args:
        processes: list of `subprocess.Popen`.

    Returns:
        int, the exit status; of one that a signal ended, 128 and the signal's number.
    """
    while True:
        codes = [process.poll() for process in processes]
        for worker, code in enumerate(codes):
            if code:
                how = f"exit status {code}" if code > 0 else signal.Signals(-code).name
                print(f"worker {worker} failed ({how}); the others are ended.", file=sys.stderr, flush=True)
                return code if code > 0 else 128 - code
        if None not in codes:
            return 0
        time.sleep(0.1)


def end(processes: list[subprocess.Popen]) -> None:
    """Ends those that still run, with all that they started; by force if they take more than ten seconds."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        running = kill(processes, number)
        deadline = time.monotonic() + _SECONDS_TO_END
        for process in running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=max(deadline - time.monotonic(), 0))


def kill(processes: list[subprocess.Popen], number: int) -> list[subprocess.Popen]:
    """Sends a signal to those that still run, with all that they started, and returns them."""
    running = [process for process in processes if process.poll() is None]
    for process in running:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
    return running


def copy(lines, name: str) -> None:
    """Copies what a worker prints to standard output, its name before each line.

    Args:
        lines: binary file.
        name: str.
    """
    for line in lines:
        # A progress bar draws a line again and again: the last of it is enough.
        text = line.decode("utf-8", "replace").rstrip("\r\n").rpartition("\r")[2]
        print(f"{name}{text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
