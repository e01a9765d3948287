"""TF_CONFIG is checked before TensorFlow sees it, and a worker that does not come is named."""

import json
import re
import signal
import socket
import threading
import time

import pytest
import tensorflow as tf

import keras_bert
from keras_bert.training.cluster import Cluster, host_and_port, read_cluster, wait_for_workers
from tests.training.processes import configuration, free_ports, start

ADDRESSES = ["a:1", "b:22", "[::1]:333"]
THREE = {"worker": ADDRESSES}


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ('{"cluster":', r"must be JSON\. Received: '{\"cluster\":' \(Expecting value.*An example: {\"cluster\""),
        ("[1]", r"must be a JSON object\. Received: '\[1\]'"),
        ({"cluster": ["a:1"]}, r"a list of addresses for each type\. Received: cluster=\['a:1'\]"),
        ({"cluster": {"worker": "a:1"}}, r"a list of addresses for each type\. Received: cluster={'worker': 'a:1'}"),
        ({"cluster": {"worker": [1]}}, r"a list of addresses for each type\. Received: cluster={'worker': \[1\]}"),
        ({"cluster": THREE}, r"which of the workers this is\. Received: task=None for worker 0, worker 1, worker 2"),
        ({"cluster": THREE, "task": {"index": 0}}, r"Received: task={'index': 0} for"),
        ({"cluster": THREE, "task": {"type": "worker"}}, r"Received: task={'type': 'worker'} for"),
        ({"cluster": THREE, "task": {"type": "worker", "index": 3}}, r"'index': 3} for .* Set it on each machine"),
        ({"cluster": THREE, "task": {"type": "worker", "index": -1}}, r"'index': -1} for"),
        ({"cluster": THREE, "task": {"type": "worker", "index": "x"}}, r"'index': 'x'} for"),
        ({"cluster": THREE, "task": {"type": "worker", "index": True}}, r"'index': True} for"),
        ({"cluster": THREE, "task": {"type": "worker", "index": 1.9}}, r"'index': 1.9} for"),
        ({"cluster": THREE, "task": {"type": "chief", "index": 0}}, r"task={'type': 'chief', 'index': 0} for"),
        ({"cluster": {"worker": ["a:1", "b"]}}, r"HOST:PORT as addresses\. Received: 'b' for worker 1\. Like"),
        ({"cluster": {"worker": ["a:x"]}}, r"Received: 'a:x' for worker 0"),
        ({"cluster": {"worker": ["a:70000"]}}, r"Received: 'a:70000' for worker 0"),
        ({"cluster": {"worker": ["grpc://a:1"]}}, r"Received: 'grpc://a:1' for worker 0"),
        ({"cluster": {"worker": [":1"]}}, r"Received: ':1' for worker 0"),
        (
            {"cluster": {"chief": ["a:1"], "worker": ["b:1", "a:1"]}},
            r"an address of its own\. Received: 'a:1' for chief 0 and worker 1\. Use another port",
        ),
        ({"cluster": {"chief": ["a:1", "b:1"]}}, r"must list one chief\. Received: \['a:1', 'b:1'\]\. List the others"),
        (
            {"cluster": {"worker": ["a:1"], "ps": ["b:1"], "evaluator": ["c:1"]}},
            r"must list chief and worker only\. Received: ps, evaluator\. Parameter servers .* leave them out",
        ),
    ],
)
@pytest.mark.parametrize("name", ["multi_worker", "auto"])
def test_what_is_wrong_with_the_list_is_said(monkeypatch, name, config, message):
    monkeypatch.setenv("TF_CONFIG", config if isinstance(config, str) else json.dumps(config))
    with pytest.raises(ValueError, match=message):
        keras_bert.training.strategy(name)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ("", None),
        ("{}", None),
        ({"cluster": {}, "task": {"type": "worker", "index": 0}}, None),
        ({"cluster": {"worker": []}}, None),
        (
            {"cluster": THREE, "task": {"type": "worker", "index": 2}, "environment": "cloud"},
            Cluster({"worker 0": "a:1", "worker 1": "b:22", "worker 2": "[::1]:333"}, "worker 2"),
        ),
        (
            {"cluster": {"worker": ["b:1"], "chief": ["a:1"], "ps": []}, "task": {"type": "chief", "index": "0"}},
            Cluster({"chief 0": "a:1", "worker 0": "b:1"}, "chief 0"),
        ),
    ],
)
def test_the_list_is_read_as_tensorflow_reads_it(monkeypatch, config, expected):
    monkeypatch.setenv("TF_CONFIG", config if isinstance(config, str) else json.dumps(config))
    assert read_cluster() == expected
    if expected is not None:
        resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()
        spec = resolver.cluster_spec()
        listed = {f"{job} {i}": spec.task_address(job, i) for job in spec.jobs for i in range(spec.num_tasks(job))}
        assert expected == Cluster(listed, f"{resolver.task_type} {resolver.task_id}")


@pytest.mark.parametrize(
    ("address", "expected"),
    [("a:1", ("a", 1)), ("a", ("a", 7)), ("[::1]:2", ("::1", 2)), ("[::1]", ("::1", 7)), ("a:x", ("a", 7))],
)
def test_an_address_is_taken_apart(address, expected):
    assert host_and_port(address, default=7) == expected


@pytest.mark.parametrize("wrong", [{"tpu": None}, {"tpu": 1}, {"timeout": "a"}, {"timeout": -1}, {"timeout": None}])
def test_what_is_no_address_or_time_is_refused(wrong):
    with pytest.raises(ValueError, match="`timeout` a number of seconds. Received: tpu="):
        keras_bert.training.strategy("tpu", **wrong)


def test_auto_takes_several_workers_only(monkeypatch):
    port, other = free_ports(2)
    monkeypatch.setenv("TF_CONFIG", configuration({"worker": [f"localhost:{port}"]}, "worker", 0))
    assert keras_bert.training.strategy("auto") is tf.distribute.get_strategy()
    monkeypatch.setenv("TF_CONFIG", configuration({"worker": [f"localhost:{p}" for p in (port, other)]}, "worker", 0))
    with pytest.raises(ValueError, match="no answer from worker 1"):
        keras_bert.training.strategy("auto", timeout=0.1)


def cluster_of(ports, me):
    return Cluster({f"worker {i}": f"localhost:{port}" for i, port in enumerate(ports)}, f"worker {me}")


def test_workers_find_each_other_whenever_they_come():
    ports = free_ports(3)
    seconds = {}

    def worker(me):
        time.sleep(0.3 * me)
        wait_for_workers(cluster_of(ports, me), timeout=20)
        seconds[me] = time.monotonic()
        with socket.create_server(("localhost", ports[me])):  # the port is free again: here is TensorFlow's server
            time.sleep(3)

    started = time.monotonic()
    threads = [threading.Thread(target=worker, args=(me,)) for me in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(seconds) == {0, 1, 2} and all(0.6 < found - started < 4 for found in seconds.values())


def test_only_those_who_are_missing_are_named():
    ports = free_ports(3)
    started = time.monotonic()
    with socket.create_server(("localhost", ports[1])), pytest.raises(ValueError) as caught:
        wait_for_workers(cluster_of(ports, 0), timeout=1.5)
    assert 1 < time.monotonic() - started < 4
    assert re.fullmatch(
        rf"All workers must answer within 1\.5 seconds\. Received: no answer from worker 2 at localhost:{ports[2]} "
        r"\(Connection refused\)\. This is worker 0\. Check that they were started, .*",
        str(caught.value),
    )


def test_a_port_that_is_taken_is_said():
    ports = free_ports(2)
    with (
        socket.create_server(("", ports[0]), reuse_port=True),  # so that TensorFlow's server would share it
        pytest.raises(ValueError, match=rf"port must be free\. Received: worker 0 at localhost:{ports[0]} \(Addr.*End"),
    ):
        wait_for_workers(cluster_of(ports, 0), timeout=1)


CODE = """
import sys
import keras_bert
try:
    place = keras_bert.training.strategy("multi_worker", timeout=float(sys.argv[1]))
except ValueError as error:
    sys.exit(str(error))
import tensorflow as tf
total = tf.function(lambda: place.run(lambda: tf.distribute.get_replica_context().all_reduce("SUM", tf.ones([]))))
print(keras_bert.training.is_chief(place), float(place.reduce("MEAN", total(), axis=None)), flush=True)
while len(sys.argv) > 2:
    total()
"""


def test_a_worker_that_was_never_started_is_named(root):
    ports = free_ports(2)
    tf_config = configuration({"worker": [f"localhost:{port}" for port in ports]}, "worker", 0)
    process = start("-c", CODE, 2, TF_CONFIG=tf_config, PYTHONPATH=str(root))
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 1
    assert f"no answer from worker 1 at localhost:{ports[1]}" in errors


@pytest.mark.slow
def test_one_worker_alone_is_a_cluster(root):
    (port,) = free_ports(1)
    tf_config = configuration({"worker": [f"localhost:{port}"]}, "worker", 0)
    process = start("-c", CODE, 60, TF_CONFIG=tf_config, PYTHONPATH=str(root))
    assert process.communicate(timeout=120)[0].split() == ["True", "1.0"], process.returncode


@pytest.mark.slow
@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_workers_count_as_one_and_none_outlives_another(root, end):
    ports = free_ports(3)
    jobs = {"chief": [f"localhost:{ports[0]}"], "worker": [f"localhost:{port}" for port in ports[1:]]}
    tasks = [("chief", 0), ("worker", 0), ("worker", 1)]
    processes = []
    for job, index in tasks:
        processes.append(start("-c", CODE, 120, "on", TF_CONFIG=configuration(jobs, job, index), PYTHONPATH=str(root)))
        time.sleep(1)
    try:
        lines = [process.stdout.readline().split() for process in processes]
        assert lines == [["True", "3.0"], ["False", "3.0"], ["False", "3.0"]]
        processes[2].send_signal(end)
        assert processes[2].wait(timeout=30) == -end
        for process in processes[:2]:
            _, errors = process.communicate(timeout=90)
            assert process.returncode > 0 and "UnavailableError" in errors
    finally:
        for process in processes:
            process.kill()
