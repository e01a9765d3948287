"""Who trains together: reads TF_CONFIG, and waits until all its workers are there."""

import json
import os
import socket
import time
from typing import NamedTuple

_SECONDS_BETWEEN_PROBES = 0.5
_SECONDS_OF_A_PROBE = 5.0
_EXAMPLE = '{"cluster": {"worker": ["10.0.0.1:2222", "10.0.0.2:2222"]}, "task": {"type": "worker", "index": 0}}'


class Cluster(NamedTuple):
    """The workers by name ("worker 1") with their addresses, in order, and the name of this one."""

    addresses: dict[str, str]
    me: str


def read_cluster() -> Cluster | None:
    """Reads the environment's TF_CONFIG.

    Returns:
        `Cluster`, or None where it lists nobody.

    Raises:
        ValueError: TensorFlow could not use it: what is wrong with it.
    """
    text = os.environ.get("TF_CONFIG", "").strip()
    try:
        config = json.loads(text or "{}")
    except ValueError as error:
        raise _error("must be JSON", f"{text!r:.200} ({error})", f"An example: {_EXAMPLE}") from error
    if not isinstance(config, dict):
        raise _error("must be a JSON object", f"{text!r:.200}", f"An example: {_EXAMPLE}")
    jobs = config.get("cluster") or {}
    if not isinstance(jobs, dict) or not all(_is_list_of_strings(tasks) for tasks in jobs.values()):
        raise _error(
            "must have, as its cluster, a list of addresses for each type",
            f"cluster={jobs!r}",
            f"An example: {_EXAMPLE}",
        )
    jobs = {job: tasks for job, tasks in jobs.items() if tasks}
    if not jobs:
        return None
    _check_jobs(jobs)
    addresses = {f"{job} {i}": address for job in sorted(jobs) for i, address in enumerate(jobs[job])}
    for name, address in addresses.items():
        _check_address(name, address)
    owners = {}
    for name, address in addresses.items():
        if address in owners:
            raise _error(
                "must give each worker an address of its own",
                f"{address!r} for {owners[address]} and {name}",
                "Use another port for one of them.",
            )
        owners[address] = name
    return Cluster(addresses, _name_of_task(config.get("task"), addresses))


def wait_for_workers(cluster: Cluster, timeout: float) -> None:
    """Waits until every worker listens at its address, and lets the others find this one meanwhile.

    TensorFlow alone would wait deaf to signals, and tell nobody for whom.

    Args:
        cluster: `Cluster`.
        timeout: float. Seconds.

    Raises:
        ValueError: this one's port is taken, or others do not answer in time: which.
    """
    deadline = time.monotonic() + timeout
    missing = {name: "" for name in cluster.addresses if name != cluster.me}
    with _listener(cluster):
        while missing:
            for name in list(missing):
                left = max(deadline - time.monotonic(), 0.1)
                try:
                    # Opened and closed: a server of TensorFlow that already runs there takes no notice.
                    address = host_and_port(cluster.addresses[name])
                    socket.create_connection(address, timeout=min(_SECONDS_OF_A_PROBE, left)).close()
                    del missing[name]
                except OSError as error:
                    missing[name] = error.strerror or str(error)
            if missing and time.monotonic() >= deadline:
                raise ValueError(
                    f"All workers must answer within {timeout:g} seconds. Received: no answer from "
                    + ", ".join(f"{name} at {cluster.addresses[name]} ({why})" for name, why in missing.items())
                    + f". This is {cluster.me}. Check that they were started, that every TF_CONFIG has the same "
                    "addresses, and that no firewall is between; or give them more time."
                )
            time.sleep(_SECONDS_BETWEEN_PROBES if missing else 0)


def host_and_port(address: str, default: int = 0) -> tuple[str, int]:
    """Takes an address apart.

    Args:
        address: str. HOST:PORT, an IPv6 host in brackets.
        default: int, default 0. The port where there is none that can be read.

    Returns:
        str, the host, and int, the port.

    Example:
    >>> host_and_port("[::1]:2222")
    ('::1', 2222)
    """
    host, colon, port = address.rpartition(":")
    if not colon or port.endswith("]"):
        host, port = address, ""
    return host.removeprefix("[").removesuffix("]"), int(port) if port.isascii() and port.isdigit() else default


def _listener(cluster):
    _, port = host_and_port(cluster.addresses[cluster.me])
    # On all addresses, as TensorFlow's server does, but alone: two of those can share a port without a word.
    both = socket.has_dualstack_ipv6()
    try:
        family = socket.AF_INET6 if both else socket.AF_INET
        return socket.create_server(
            ("", port), family=family, backlog=max(128, len(cluster.addresses)), dualstack_ipv6=both
        )
    except OSError as error:
        raise ValueError(
            f"A worker's port must be free. Received: {cluster.me} at {cluster.addresses[cluster.me]} "
            f"({error.strerror}). End what holds it, or list another port in every TF_CONFIG."
        ) from error


def _check_jobs(jobs):
    others = ", ".join(job for job in jobs if job not in ("chief", "worker"))
    if others:
        raise _error(
            "must list chief and worker only",
            others,
            "Parameter servers have no part in 'multi_worker', and evaluation is done by all workers: leave them out.",
        )
    if len(jobs.get("chief", ())) > 1:
        raise _error("must list one chief", f"{jobs['chief']!r}", "List the others as worker.")


def _check_address(name, address):
    host, port = host_and_port(address)
    if not host or "/" in host or not 0 < port < 65536:
        raise _error("must give HOST:PORT as addresses", f"{address!r} for {name}", "Like 10.0.0.1:2222.")


def _name_of_task(task, addresses):
    try:
        index = task["index"]
        if not isinstance(index, str | int) or isinstance(index, bool):
            raise TypeError
        name = f"{task['type']} {int(index)}"
    except (TypeError, KeyError, ValueError):
        name = None
    if name not in addresses:
        raise _error(
            "must tell by its task which of the workers this is",
            f"task={task!r} for {', '.join(addresses)}",
            'Set it on each machine: "task": {"type": "worker", "index": 0} on the first.',
        )
    return name


def _is_list_of_strings(tasks):
    return isinstance(tasks, list) and all(isinstance(address, str) for address in tasks)


def _error(rule, received, remedy):
    return ValueError(f"TF_CONFIG {rule}. Received: {received}. {remedy}")
