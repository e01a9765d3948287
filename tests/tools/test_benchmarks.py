"""The benchmarks run, on a model and texts that are made for it; what they measure on these says nothing."""

import pathlib
import subprocess
import sys

import pytest

TOOLS = pathlib.Path(__file__).parents[2] / "tools"


@pytest.mark.parametrize(
    ("name", "rows", "columns", "targets"),
    [
        ("sst2", (24, 24), 1, [0, 1, 0, 1]),
        ("mrpc", (24, 24), 2, [0, 1, 0, 1]),
        ("sick", (24, 24), 2, [0, 1, 2, 0]),
        (
            "sts",
            (46, 23),
            2,
            [0.2, 0.4, 0.6, 0.8],
        ),  # rows without a score are left out, and so is 2015.belief
    ],
)
def test_tasks_are_read_as_they_stand_in_their_files(tool, data, name, rows, columns, targets):
    task = tool("benchmark_data").read_task(name, data)
    assert (len(task.train_targets), len(task.dev_targets)) == rows
    assert [len(column) for column in task.train_texts] == [rows[0]] * columns
    assert task.train_targets[:4] == pytest.approx(targets)
    assert task.train_texts[0][1].startswith('"') == (name == "mrpc")


def test_rows_are_drawn_alike_every_time(tool, data):
    read_task = tool("benchmark_data").read_task
    assert read_task("sick", data, train_rows=5) == read_task("sick", data, train_rows=5)
    assert len(read_task("sick", data, train_rows=5).train_targets) == 5


@pytest.fixture
def finetuning_flags(data, model, results):
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    flags = ["--data-folder", str(data), "--model", model, "--sequence-length", "32", "--epochs", "1"]
    return [*flags, "--batch-size", "8", *results.flags]


def test_finetuning_compares_the_peers_seed_by_seed(tool, finetuning_flags, results):
    summary = tool("benchmark_finetuning").main(["--data", "mrpc", "--seeds", "2", *finetuning_flags])
    *runs, last = results.lines()
    assert [(run["peer"], run["seed"]) for run in runs] == [
        ("keras_bert", 0),
        ("transformers", 0),
        ("keras_bert", 1),
        ("transformers", 1),
    ]
    assert all(run["figures"]["seconds"] > 0 and "f1" in run["figures"] for run in runs)
    assert last["summary"] == summary
    times = [run["figures"]["seconds"] for run in runs]
    comparison = summary["comparisons"]["transformers"]
    assert comparison["ratios"] == pytest.approx([times[1] / times[0], times[3] / times[2]])
    scores = [run["figures"]["accuracy"] for run in runs]
    difference = (scores[0] + scores[2] - scores[1] - scores[3]) / 2
    assert comparison["difference"] == pytest.approx(difference)
    variances = [(a - b) ** 2 / 2 for a, b in ((scores[0], scores[2]), (scores[1], scores[3]))]
    assert comparison["standard_error"] == pytest.approx((sum(variances) / 2) ** 0.5)


def test_finetuning_scores_numbers_by_their_correlation(tool, finetuning_flags, results):
    summary = tool("benchmark_finetuning").main(["--data", "sts", "--seeds", "1", *finetuning_flags])
    for run in results.lines()[:-1]:
        assert {"pearson", "spearman"} <= run["figures"].keys()
    # One seed tells nothing of how much seeds differ.
    assert summary["comparisons"]["transformers"]["standard_error"] is None


@pytest.mark.slow
@pytest.mark.parametrize("name", ["squad", "wnut17"])
def test_finetuning_answers_questions_and_tags_words(tool, finetuning_flags, results, name):
    summary = tool("benchmark_finetuning").main(["--data", name, "--seeds", "1", *finetuning_flags])
    assert [line["peer"] for line in results.lines()[:-1]] == ["keras_bert", "transformers"]
    for part in summary["peers"].values():
        assert 0 <= part["mean"]["f1"] <= 1 and part["median_seconds"] > 0


def test_a_run_is_a_process_of_its_own_and_leaves_a_line(data, model, results):
    flags = ["--data", "sst2", "--data-folder", str(data), "--model", model, "--sequence-length", "32"]
    flags += ["--epochs", "1", "--seeds", "1", "--peers", "keras_bert", "--precision", "bfloat16"]
    done = subprocess.run(
        [sys.executable, str(TOOLS / "benchmark_finetuning.py"), *flags, *results.flags],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    run, last = results.lines()
    assert run["peer"] == "keras_bert" and 0 <= run["figures"]["accuracy"] <= 1
    assert last["summary"]["peers"]["keras_bert"]["runs"] == 1
    assert run["command"].startswith("python tools/benchmark_finetuning.py --data sst2")
    assert {"cpu", "cores"} <= run["machine"].keys() and "tensorflow" in run["versions"]


def test_inference_answers_alike_in_all_libraries(tool, data, model, results):
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    pytest.importorskip("keras_hub")
    flags = ["--model", model, "--data-folder", str(data), "--sequence-length", "32", "--rounds", "1"]
    summary = tool("benchmark_inference").main(
        [*flags, "--single-texts", "2", "--batch-size", "5", *results.flags]
    )
    assert [line["peer"] for line in results.lines()[:-1]] == ["keras_bert", "transformers", "keras_hub"]
    differences = {peer: part["largest_difference"] for peer, part in summary["comparisons"].items()}
    assert differences["transformers"] < 1e-5
    assert differences["keras_hub"] < 1e-2  # its activation is the approximate one
    assert all(part["texts_per_second"] > 0 for part in summary["peers"].values())


@pytest.mark.parametrize(
    ("mode", "peers"),
    [
        ("inference", ["keras_bert", "keras_hub", "transformers"]),
        ("training", ["keras_bert", "transformers"]),
    ],
)
def test_encoder_is_compared_step_by_step(tool, results, mode, peers):
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    pytest.importorskip("keras_hub")
    flags = ["--size", "tiny", "--batch", "2", "--length", "7", "--rounds", "2", "--mode", mode]
    summary = tool("benchmark_encoder").main([*flags, "--peers", ",".join(peers), *results.flags])
    assert list(summary["milliseconds"]) == peers
    assert all(len(part["ratios"]) == 2 for part in summary["comparisons"].values())
    assert results.lines()[0]["summary"] == summary


@pytest.mark.skipif(not pathlib.Path("/proc/self/clear_refs").exists(), reason="reads peaks as Linux tells them")
def test_training_steps_are_compared_with_their_memory_and_the_ceiling(tool, results, capsys):
    flags = ["--sizes", "tiny", "--precisions", "float32", "--batch", "2", "--length", "7", "--rounds", "1"]
    summary = tool("benchmark_training").main([*flags, "--peers", "keras_bert", *results.flags])
    part = summary["tiny float32"]["peers"]["keras_bert"]
    assert part["seconds"] > 0 and 0 < part["share"] < 1 and part["peak"] >= 0
    # By hand: 2 layers, 128 wide; 14 tokens, each with its dense products and 7 scores and 7 values to mix.
    share = 3 * 2 * 14 * (2 * (4 * 128**2 + 2 * 128 * 512) + 4 * 7 * 128)
    assert part["share"] * part["seconds"] * summary["tiny float32"]["ceiling"] == pytest.approx(share)
    assert "| tiny | float32 | 2 x 7 | keras_bert |" in capsys.readouterr().out
    assert results.lines()[0]["summary"] == summary["tiny float32"]


def test_jax_has_no_peers(tool, monkeypatch, capsys):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    with pytest.raises(SystemExit):
        tool("benchmark_encoder").main(["--peers", "keras_bert,keras_hub"])
    assert "On JAX keras_bert runs alone" in capsys.readouterr().err


def test_tokenizers_give_the_same_ids(tool, vocabulary, novels, results):
    pytest.importorskip("tokenizers")
    flags = ["--novels", novels, "--vocabulary", str(vocabulary), "--rounds", "1"]
    summary = tool("benchmark_tokenizer").main([*flags, "--batch-size", "8", *results.flags])
    assert summary["lines"] == 30 and summary["lines_that_differ"] == {"tokenizers": 0}
    assert summary["tokens"]["keras_bert"] == summary["tokens"]["tokenizers"] > 0


def test_a_peer_that_is_not_known_or_not_there_is_named(tool):
    records = tool("benchmark_records")
    with pytest.raises(ValueError, match="must be among keras_bert, other. Received: 'keras_bert,nobody'"):
        records.peer_list("keras_bert,nobody", ("keras_bert", "other"))
    with pytest.raises(SystemExit, match="This comparison needs no_such_package"):
        records.need("no_such_package")


def test_a_worker_that_fails_tells_why(tool, tmp_path):
    script = tmp_path / "worker.py"
    script.write_text("raise ValueError('no such weights')")
    with pytest.raises(SystemExit, match="no such weights"):
        tool("benchmark_records").run_worker(str(script), [], "keras_bert")


@pytest.mark.parametrize(
    "name", ["finetuning", "inference", "embeddings", "encoder", "tokenizer", "building", "packing", "training"]
)
def test_help_tells_what_is_compared(tool, capsys, name):
    with pytest.raises(SystemExit) as stopped:
        tool(f"benchmark_{name}").main(["--help"])
    assert stopped.value.code == 0
    text = capsys.readouterr().out
    assert "python tools/benchmark_" in text and "--results" in text


@pytest.mark.slow
@pytest.mark.parametrize("task", ["questions", "entities"])
def test_answers_are_timed_in_both_libraries(tool, data, model, results, task):
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    flags = ["--task", task, "--model", model, "--data-folder", str(data), "--sequence-length", "32", "--rounds", "1"]
    summary = tool("benchmark_answers").main([*flags, "--single-texts", "2", "--batch-size", "5", *results.flags])
    assert [line["peer"] for line in results.lines()[:-1]] == ["keras_bert", "transformers"]
    assert all(part["texts_per_second"] > 0 for part in summary["peers"].values())


@pytest.mark.slow
def test_embeddings_are_alike_in_both_libraries(tool, data, model, results):
    pytest.importorskip("torch")
    pytest.importorskip("sentence_transformers")
    flags = ["--model", model, "--data-folder", str(data), "--sequence-length", "32", "--rounds", "1"]
    summary = tool("benchmark_embeddings").main([*flags, "--single-texts", "2", "--batch-size", "5", *results.flags])
    peers = ["keras_bert", "saved_model", "sentence_transformers"]
    assert [line["peer"] for line in results.lines()[:-1]] == peers
    assert all(part["least_cosine"] > 0.9999 for part in summary["comparisons"].values())
    assert all(part["texts_per_second"] > 0 for part in summary["peers"].values())


def test_distillation_gives_each_arm_its_best_rate(tool, data, model, results):
    flags = ["--data-folder", str(data), "--model", model, "--sequence-length", "32", "--epochs", "1"]
    flags += ["--batch-size", "8", "--layers", "1", "--learning-rates", "1e-3,3e-3", "--seeds", "2"]
    summary = tool("benchmark_distillation").main([*flags, *results.flags])
    teacher, *runs, last = results.lines()
    assert (teacher["peer"], teacher["rate"]) == ("teacher", 1e-4) and last["summary"] == summary
    rates = summary["rates"]
    assert [(run["peer"], run["seed"], run["rate"]) for run in runs] == [
        *(("taught", 0, 1e-3), ("taught", 0, 3e-3), ("alone", 0, 1e-3), ("alone", 0, 3e-3)),
        *(("taught", 1, rates["taught"]), ("alone", 1, rates["alone"])),
    ]
    for arm in ("taught", "alone"):
        first = [run["figures"]["accuracy"] for run in runs if run["peer"] == arm and run["seed"] == 0]
        second = next(run["figures"]["accuracy"] for run in runs if run["peer"] == arm and run["seed"] == 1)
        assert summary["peers"][arm]["mean"]["accuracy"] == pytest.approx((max(first) + second) / 2)
        assert first[[1e-3, 3e-3].index(rates[arm])] == max(first)
