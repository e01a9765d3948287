"""The first client of a warm server waits hardly longer than others; of a cold one it waits for everything."""

import re
import statistics
import subprocess
import sys
import time

import pytest

import keras_bert
from tests.servers import TOOLS, Client, get_model_status_pb2

TEXT = "It is a story of two friends who meet again after years, and it is told well."


@pytest.fixture(scope="module")
def exported(shared_models, tmp_path_factory):
    folder = tmp_path_factory.mktemp("warm") / "embeddings"
    keras_bert.BertEmbedder.from_preset(shared_models / "all-MiniLM-L6-v2").export(folder / "1")
    return folder


def seconds_of(folder, *flags, count=31):
    """How long each of some requests of one text takes, in a server that has just said that it is ready."""
    command = [sys.executable, str(TOOLS / "serve.py"), str(folder), "--grpc-port", "0", "--rest-port", "0", *flags]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            ready = re.search(r"gRPC: (\S+:\d+)\. REST: (http://\S+)\n", process.stdout.readline())
            found = []
            with Client(*ready.groups()) as client:
                # The connection itself is no part of it.
                client.models.GetModelStatus(client.spec(get_model_status_pb2.GetModelStatusRequest()), timeout=60)
                for _ in range(count):
                    start = time.perf_counter()
                    client.predict({"text": [TEXT]})
                    found.append(time.perf_counter() - start)
        finally:
            process.kill()
    return found


@pytest.mark.slow
def test_the_first_request_is_answered_as_fast_as_others(exported):
    first, ratios = {}, {}
    for name, flags in {"warm": (), "cold": ("--no-warmup",)}.items():
        found = [seconds_of(exported, *flags) for _ in range(3)]
        first[name] = statistics.median(each[0] for each in found)
        ratios[name] = statistics.median(each[0] / statistics.median(each[1:]) for each in found)
        print(f"{name}: first {1e3 * first[name]:.1f} ms, {ratios[name]:.2f} times the median of the others")
    assert ratios["warm"] <= 2
    assert ratios["cold"] > 2 * ratios["warm"]
