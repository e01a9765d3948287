"""Processes that train: one alone, or several workers on loopback."""

import json
import os
import socket
import subprocess
import sys


def start(script, *arguments, **variables):
    """Starts a script of this folder; what it prints is read from its pipes."""
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3", **variables}
    return subprocess.Popen(
        [sys.executable, str(script), *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
    )  # fmt: skip


def start_workers(script, *arguments, count):
    """Starts workers that know each other; each gets its number as `--worker`."""
    workers = [f"127.0.0.1:{port}" for port in free_ports(count)]
    return [
        start(
            script, *arguments, "--worker", i,
            TF_CONFIG=configuration({"worker": workers}, "worker", i),
        )
        for i in range(count)
    ]  # fmt: skip


def configuration(jobs, job, index):
    return json.dumps({"cluster": jobs, "task": {"type": job, "index": index}})


def finish(*processes):
    """Waits until all have ended well, and gives what they wrote to stderr."""
    errors = [process.communicate(timeout=600)[1] for process in processes]
    for process, found in zip(processes, errors, strict=True):
        assert process.returncode == 0, found[-3000:]
    return errors


def kill(*processes):
    for process in processes:
        process.kill()
    for process in processes:
        process.communicate()


def steps_until(process, count):
    """Waits for so many lines, of which there is one a step."""
    for _ in range(count):
        if not process.stdout.readline():
            break


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports
