"""The recipe goes from GLUE's files to one table and a submission, goes on after a kill, and refuses bad input."""

import contextlib
import io
import json
import re
import types

import glue as recipe
import glue_table
import numpy as np
import pytest
from glue_data import TASKS, read_task, read_tests

import keras_bert
from tests.classifiers import VOCABULARY, with_large_weights
from tests.glue_files import write_glue

QUICK = ["--epochs", "1", "--batch-size", "4", "--sequence-length", "12", "--learning-rate", "1e-2"]
RUN = ("STS-B", "MNLI")


@pytest.fixture(scope="module")
def preset(tmp_path_factory):
    tokenizer = keras_bert.BertTokenizer(VOCABULARY)
    sizes = {"num_layers": 1, "num_heads": 2, "hidden_dim": 8, "intermediate_dim": 12, "max_sequence_length": 16}
    encoder = with_large_weights(keras_bert.BertEncoder(len(tokenizer.vocabulary), **sizes))
    path = tmp_path_factory.mktemp("preset") / "preset"
    preprocessor = keras_bert.BertPreprocessor(tokenizer, sequence_length=16)
    keras_bert.BertTokenClassifier(encoder, preprocessor, ["O", "B-x"]).save_to_preset(path)
    return str(path)


@pytest.fixture(scope="module")
def trained(preset, tmp_path_factory):
    """One run of two tasks: its command, its data and output, what it returned and what it printed."""
    folder = tmp_path_factory.mktemp("trained")
    data, output = write_glue(folder / "glue", RUN), folder / "out"
    command = ["--data", data, "--tasks", *RUN, "--preset", preset, *QUICK, "--limit", "7", "--output", output]
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        metrics = run(*command)
    return types.SimpleNamespace(
        command=command, data=data, output=output, metrics=metrics, printed=printed.getvalue()
    )


def run(*flags):
    return recipe.main([str(flag) for flag in flags])


def submitted(path):
    header, *rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]
    assert header == ["index", "prediction"]
    indices, predictions = zip(*rows, strict=True)
    return list(indices), list(predictions)


@pytest.fixture
def trainings(monkeypatch):
    """Counts the trainings, which do nothing, and stops the one whose number is put into `stop_at`."""
    seen = types.SimpleNamespace(count=0, stop_at=None)

    def counted(*args, **kwargs):
        seen.count += 1
        if seen.count == seen.stop_at:
            raise KeyboardInterrupt

    monkeypatch.setattr(keras_bert.BertClassifier, "fit", counted)
    return seen


def test_every_result_is_there(trained):
    files = {path.relative_to(trained.output).as_posix() for path in trained.output.rglob("*") if path.is_file()}
    names = {"config.json", "model.safetensors", "tokenizer_config.json", "vocab.txt"}
    assert files == {
        *("table.md", "metrics.json", *(f"{task}/metrics.json" for task in RUN)),
        *(f"{task}/preset/{name}" for task in RUN for name in names),
        *(f"submission/{name}.tsv" for name in ("STS-B", "MNLI-m", "MNLI-mm", "AX")),
    }


def test_each_task_has_its_metrics(trained):
    tasks = trained.metrics["tasks"]
    assert json.loads((trained.output / "metrics.json").read_text()) == trained.metrics
    assert {task: [name for name in tasks[task]["runs"][0] if name != "seconds"] for task in RUN} == {
        "STS-B": ["pearson", "spearman", "score"],
        "MNLI": ["accuracy_matched", "accuracy_mismatched", "score"],
    }
    assert tasks["STS-B"]["examples"] == {"train": 7, "dev": 6}
    assert tasks["MNLI"]["examples"] == {"train": 7, "dev_matched": 6, "dev_mismatched": 6}
    for scores in tasks.values():
        metrics = [value for name, value in scores.items() if name.partition("_")[0] in glue_table.WRITTEN]
        assert scores["score"] == pytest.approx(np.mean(metrics)) and scores["standard_deviation"] is None
    assert trained.metrics["score"] == pytest.approx(np.mean([scores["score"] for scores in tasks.values()]))


@pytest.mark.parametrize("task", RUN)
def test_the_preset_gives_the_scores_and_the_submission(trained, task):
    classifier = keras_bert.BertClassifier.from_preset(trained.output / task / "preset")
    labels = keras_bert.metrics.GLUE_LABELS[task]

    def predicted(examples):
        outputs = classifier.predict(examples.inputs(), verbose=0)
        return [labels[row.argmax()] for row in outputs] if labels else outputs[:, 0]

    found = trained.metrics["tasks"][task]
    for name, dev in list(read_task(trained.data, task).items())[1:]:
        scores = keras_bert.metrics.glue_scores(task, dev.labels, predicted(dev))
        for metric in set(scores) - {"score"}:
            assert found[metric + name.removeprefix("dev")] == pytest.approx(scores[metric], abs=1e-4)
    for name, (indices, examples) in read_tests(trained.data, task).items():
        written = submitted(trained.output / "submission" / f"{name}.tsv")
        assert written[0] == indices
        if labels:
            assert written[1] == predicted(examples)
        else:
            expected = np.clip(predicted(examples), 0, 5)
            np.testing.assert_allclose([float(value) for value in written[1]], expected, atol=1e-3)
            assert all(re.fullmatch(r"[0-5]\.\d{3}", value) for value in written[1])


def test_scores_are_submitted_within_their_range(trained, tmp_path, monkeypatch):
    monkeypatch.setattr(recipe, "answers", lambda *_: np.array([-1.0, 2.34567, 7.0, 0.0, 5.0]))
    (tmp_path / "STS-B").symlink_to(trained.output / "STS-B")
    recipe.predict_tests("STS-B", recipe.build_parser().parse_args(["--data", str(trained.data)]), tmp_path)
    assert submitted(tmp_path / "submission" / "STS-B.tsv")[1] == ["0.000", "2.346", "5.000", "0.000", "5.000"]


def test_the_table_is_printed_and_written(trained):
    text = (trained.output / "table.md").read_text(encoding="utf-8")
    assert text in trained.printed
    lines = text.splitlines()
    assert lines[0] == "| task | trained on | dev | score |"
    tasks, counts, dev, scores = zip(*(line.strip("| ").split(" | ") for line in lines[2:4]), strict=True)
    assert tasks == RUN and counts == ("7", "7")
    metrics = ("Pearson N, Spearman N", "accuracy matched N, accuracy mismatched N")
    for shown, pattern in zip(dev, metrics, strict=True):
        assert re.fullmatch(pattern.replace("N", r"-?\d+\.\d"), shown)
    assert scores == tuple(f"{100 * trained.metrics['tasks'][task]['score']:.1f}" for task in RUN)
    assert lines[4] == f"| average of 2 of 9 tasks |  |  | {100 * trained.metrics['score']:.1f} |"


def test_published_scores_of_bert_give_its_published_average():
    # BERT-large's line of the leaderboard: a task's two scores count as their mean, MNLI's two sets as one task.
    published = {
        "CoLA": [60.5],
        "SST-2": [94.9],
        "MRPC": [89.3, 85.4],
        "STS-B": [87.6, 86.5],
        "QQP": [72.1, 89.3],
        "MNLI": [86.7, 85.9],
        "QNLI": [92.7],
        "RTE": [70.1],
        "WNLI": [65.1],
    }
    found = {task: {"score": np.mean(scores)} for task, scores in published.items()}
    assert list(found) == list(TASKS) and round(glue_table.average(found), 1) == 80.5


def test_the_same_command_trains_nothing_again(trained, trainings):
    before = (trained.output / "metrics.json").read_bytes()
    (trained.output / "submission" / "AX.tsv").rename(trained.output / "kept")  # as if killed before it
    metrics = run(*trained.command)
    assert trainings.count == 0 and metrics["tasks"] == trained.metrics["tasks"]
    assert (trained.output / "metrics.json").read_bytes() == before
    assert submitted(trained.output / "submission" / "AX.tsv") == submitted(trained.output / "kept")
    (trained.output / "kept").unlink()


def test_a_run_that_is_killed_goes_on_with_what_was_not_finished(preset, tmp_path, trainings, capsys):
    data = write_glue(tmp_path / "glue", ["MRPC", "CoLA"])
    command = ["--data", data, "--preset", preset, *QUICK, "--output", tmp_path / "out", "--seeds", 2, "--tasks"]
    trainings.stop_at = 4
    with pytest.raises(KeyboardInterrupt):
        run(*command, "MRPC", "CoLA")
    assert not (tmp_path / "out" / "table.md").exists()
    assert (tmp_path / "out" / "submission" / "MRPC.tsv").exists()
    capsys.readouterr()
    metrics = run(*command, "MRPC", "CoLA")
    assert trainings.count == 4 + 1
    assert re.findall(r"^(\w+), seed (\d): .* \(finished before\)$", capsys.readouterr().out, re.MULTILINE) == [
        ("MRPC", "0"),
        ("MRPC", "1"),
        ("CoLA", "0"),
    ]
    for task, names in {"MRPC": ["f1", "accuracy", "score"], "CoLA": ["matthews", "score"]}.items():
        scores = metrics["tasks"][task]
        assert list(scores["runs"][0]) == [*names, "seconds"]
        runs = json.loads((tmp_path / "out" / task / "metrics.json").read_text())["runs"]
        assert list(runs) == ["0", "1"] and list(runs.values()) == scores["runs"]
        assert scores["score"] == pytest.approx(np.mean([found["score"] for found in scores["runs"]]))
        expected = np.std([found["score"] for found in scores["runs"]], ddof=1)
        assert scores["standard_deviation"] == pytest.approx(expected)
    assert "Mean ± standard deviation of 2 seeds." in (tmp_path / "out" / "table.md").read_text(encoding="utf-8")

    run(*command, "MRPC", "--seeds", 1, "--seed", 1)  # one of those that are there
    assert trainings.count == 5
    run(*command, "CoLA", "--seeds", 1, "--batch-size", 3)  # other settings
    assert trainings.count == 6
    assert list(json.loads((tmp_path / "out" / "CoLA" / "metrics.json").read_text())["runs"]) == ["0"]


@pytest.mark.slow
def test_all_nine_tasks_make_a_submission(preset, tmp_path):
    data = write_glue(tmp_path / "glue", TASKS)
    metrics = run("--data", data, "--preset", preset, *QUICK, "--output", tmp_path / "out")
    assert list(metrics["tasks"]) == list(TASKS)
    files = {path.stem: submitted(path) for path in (tmp_path / "out" / "submission").iterdir()}
    assert set(files) == {*TASKS, "MNLI-m", "MNLI-mm", "AX"} - {"MNLI"}
    for name, (_, predictions) in files.items():
        task = "MNLI" if name.startswith(("MNLI", "AX")) else name
        if task != "STS-B":
            assert set(predictions) <= set(keras_bert.metrics.GLUE_LABELS[task])


@pytest.mark.parametrize(
    ("spoil", "flags", "message"),
    [
        (None, ["--tasks", "SNLI"], "argument --tasks: invalid choice: 'SNLI' .*choose from '?CoLA"),
        (None, ["--tasks", "RTE"], "GLUE's RTE must have train.tsv. Received: no file '.*RTE.train.tsv'"),
        (("CoLA/dev.tsv", "gj04\t2\t\ta\n"), [], "label of CoLA must be one of 0, 1. Received: '2' in line 1 of"),
        (("CoLA/test.tsv", "index\tsentence\n0\n"), [], r"header, 2. Received: 1 in row 1 \(line 2\) of '.*test.tsv'"),
        (None, ["--preset", "/no/such/preset"], "Received: '/no/such/preset', no such directory"),
        (None, ["--sequence-length", "17"], "sequence_length=17, max_sequence_length=16"),
        (None, ["--seeds", "0"], "argument --seeds: must be at least 1, received 0"),
        (None, ["--output", "/dev/null"], "must be a directory that can be written to. Received: '/dev/null'"),
    ],
)
def test_bad_input_is_refused_before_training(preset, tmp_path, trainings, capsys, spoil, flags, message):
    data = write_glue(tmp_path / "glue", ["CoLA"])
    if spoil:
        (data / spoil[0]).write_text(spoil[1])
    with pytest.raises(SystemExit) as error:
        run("--data", data, "--tasks", "CoLA", "--preset", preset, "--output", tmp_path / "out", *flags)
    assert error.value.code == 2 and trainings.count == 0
    printed = " ".join(capsys.readouterr().err.split())
    assert re.search(message, printed), printed


def test_without_data_it_says_where_they_are(capsys):
    with pytest.raises(SystemExit):
        run()
    message = "Received: no --data. Get them from https://gluebenchmark.com/tasks, unpack them"
    assert message in " ".join(capsys.readouterr().err.split())


def test_help_explains_every_flag_with_its_default(capsys):
    with pytest.raises(SystemExit):
        run("--help")
    assert "python recipes/glue.py --data GLUE_DIR" in capsys.readouterr().out
    for action in recipe.build_parser()._actions[1:]:
        assert re.search(r"Default: .+\.$", action.help), action.dest
