"""Pre-training gives the same losses on one device, on two of a machine, and on two machines (here: processes)."""

import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

import keras_bert
from tests.training.workers import configuration, free_ports

SCRIPT = pathlib.Path(__file__).parent / "distributed_run.py"


def start(records, output, *flags, **variables):
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3", **variables}
    command = [sys.executable, str(SCRIPT), str(records), str(output), *map(str, flags)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)


def finish(*processes):
    for process in processes:
        _, errors = process.communicate(timeout=400)
        assert process.returncode == 0, errors[-2000:]


def result(output, name):
    return json.loads((output / f"{name}.json").read_text())


@pytest.fixture(scope="module")
def one(records, tmp_path_factory):
    output = tmp_path_factory.mktemp("one")
    finish(start(records, output))
    return result(output, "one-0")


def assert_equal(found, expected):
    np.testing.assert_allclose(found["losses"], expected["losses"][-len(found["losses"]) :], atol=1e-5)
    by_step = [{logs["step"]: logs["val_loss"] for logs in each["history"]} for each in (found, expected)]
    both = sorted(set(by_step[0]) & set(by_step[1]))
    assert both[0] == 20 and both[-1] == 50
    np.testing.assert_allclose(*([values[step] for step in both] for values in by_step), atol=1e-5)


@pytest.mark.slow
def test_two_replicas_train_as_one_device(records, one, tmp_path):
    assert len(one["losses"]) == 50 and one["losses"][-1] < one["losses"][0] - 0.1
    finish(start(records, tmp_path, "--strategy", "mirrored"))
    found = result(tmp_path, "mirrored-0")
    assert len(found["losses"]) == 50
    assert_equal(found, one)


@pytest.mark.slow
def test_two_workers_train_as_one_device_and_go_on(records, one, tmp_path):
    for steps in (30, 50):
        workers = [f"127.0.0.1:{port}" for port in free_ports(2)]
        flags = ("--strategy", "multi_worker", "--steps", steps)
        finish(*[
            start(
                records, tmp_path, *flags, "--worker", i, TF_CONFIG=configuration({"worker": workers}, "worker", i)
            )
            for i in range(2)
        ])  # fmt: skip
    for i in range(2):
        found = result(tmp_path, f"multi_worker-{i}")
        assert len(found["losses"]) == 20
        assert_equal(found, one)
    assert sorted(path.name for path in (tmp_path / "multi_worker").iterdir()) == ["step-000000030", "step-000000050"]


@pytest.mark.parametrize("address", ["local", "grpc://127.0.0.1:9", "no-such-tpu"])
def test_no_tpu_at_the_address_is_said(address):
    with pytest.raises(ValueError, match=rf"There must be a TPU at the address\. Received: tpu='{address}'"):
        keras_bert.training.strategy("tpu", tpu=address)


def test_without_workers_multi_worker_says_what_is_missing(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    with pytest.raises(ValueError, match="needs the environment variable TF_CONFIG"):
        keras_bert.training.strategy("multi_worker")
    assert keras_bert.training.strategy("auto").num_replicas_in_sync == 1
