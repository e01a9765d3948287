"""Workers get their places, are heard by name, and end together."""

import json
import os
import signal
import subprocess
import sys
import time

import launch_workers
import pytest

SCRIPT = """
import json, os, sys, time
config = json.loads(os.environ["TF_CONFIG"])
index = config["task"]["index"]
print(json.dumps([config, sys.argv[1:]]))
print("drawn\\rdrawn again", file=sys.stderr)
if "fail" in sys.argv and index == 1:
    sys.exit(7)
if "die" in sys.argv and index == 1:
    os.kill(os.getpid(), 9)
if "end" not in sys.argv:
    time.sleep(60)
"""


def lines_of(output):
    found = [line.partition("] ") for line in output.splitlines() if line.startswith("[worker ")]
    return {name: [text for head, _, text in found if head == f"[worker {name}"] for name in "012"}


def test_workers_get_their_places_and_are_heard_by_name(write, capfd):
    assert launch_workers.main(["--workers", "3", write("script.py", SCRIPT), "end", "--epochs", "1"]) == 0
    workers = lines_of(capfd.readouterr().out)
    told = {name: json.loads(lines[0]) for name, lines in workers.items()}
    assert all(lines[1:] == ["drawn again"] for lines in workers.values())
    for name, (config, arguments) in told.items():
        assert config["task"] == {"type": "worker", "index": int(name)}
        assert config["cluster"] == told["0"][0]["cluster"]
        assert arguments == ["end", "--epochs", "1", "--strategy", "multi_worker"]
    assert len(set(told["0"][0]["cluster"]["worker"])) == 3


@pytest.mark.parametrize("flags", [["--strategy", "auto"], ["--strategy=auto"]])
def test_a_strategy_that_is_given_stays(write, capfd, flags):
    assert launch_workers.main(["--workers", "1", write("script.py", SCRIPT), "end", *flags]) == 0
    assert json.loads(lines_of(capfd.readouterr().out)["0"][0])[1] == ["end", *flags]


@pytest.mark.parametrize(("how", "code", "said"), [("fail", 7, "exit status 7"), ("die", 137, "SIGKILL")])
def test_when_one_fails_all_end(write, capfd, how, code, said):
    started = time.monotonic()
    assert launch_workers.main(["--workers", "3", write("script.py", SCRIPT), how]) == code
    assert time.monotonic() - started < 20
    assert f"worker 1 failed ({said}); the others are ended." in capfd.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_all(write, root, number):
    deaf = "import os, signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint(os.getpid())\ntime.sleep(60)"
    code = "import sys, launch_workers as l; l._SECONDS_TO_END = 1.0; sys.exit(l.main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "--workers", "2", write("deaf.py", deaf)]
    environment = os.environ | {"PYTHONPATH": f"{root / 'recipes'}{os.pathsep}{root}"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        workers = [int(process.stdout.readline().split("] ")[1]) for _ in range(2)]
        process.send_signal(number)
        assert process.wait(timeout=30) == 128 + number
    for worker in workers:
        with pytest.raises(ProcessLookupError):
            os.kill(worker, 0)


def test_a_second_signal_does_not_wait(write, root):
    deaf = "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint(flush=True)\ntime.sleep(60)"
    command = [sys.executable, str(root / "recipes" / "launch_workers.py"), "--workers", "2", write("deaf.py", deaf)]
    environment = os.environ | {"PYTHONPATH": str(root)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        for _ in range(2):
            process.stdout.readline()
        process.send_signal(signal.SIGINT)
        time.sleep(1)
        started = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 128 + signal.SIGINT
        assert time.monotonic() - started < 5  # by itself it waits for ten seconds


def test_a_script_that_is_not_there_is_said(capsys):
    with pytest.raises(SystemExit):
        launch_workers.main(["no-such.py"])
    assert "There must be a script to run. Received: 'no-such.py'." in capsys.readouterr().err
