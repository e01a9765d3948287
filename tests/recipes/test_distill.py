"""The recipe runs from a table and a teacher to a smaller SavedModel, and refuses bad input before it trains."""

import contextlib
import io
import json
import re
import types

import distill as recipe
import numpy as np
import pytest
import self_training

import keras_bert

QUICK = ["--epochs", "1", "--batch-size", "8", "--sequence-length", "12", "--learning-rate", "1e-3"]
TABLE = "text\tlabel\n" + "good film\tyes\nbad film\tno\na good day\tyes\na bad day\tno\n" * 2
UNLABELLED = ["a film", "good good", "", "bad bad", "day", "a good film", "bad day", "film"]
RESULTS = {"preset", "saved_model", "metrics.json", "predictions.tsv", "learning_curve.png", "confusion_matrix.png"}


def make_preset(path, num_layers=2, labels=("no", "yes"), **sizes):
    tokenizer = keras_bert.BertTokenizer(
        ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "bad", "day", "film", "good"]
    )
    sizes = {"num_heads": 2, "hidden_dim": 8, "intermediate_dim": 12, "max_sequence_length": 16, **sizes}
    encoder = keras_bert.BertEncoder(len(tokenizer.vocabulary), num_layers, **sizes)
    preprocessor = keras_bert.BertPreprocessor(tokenizer, sequence_length=16)
    classifier = keras_bert.BertClassifier(encoder, preprocessor, labels=labels)
    rng = np.random.default_rng(0)
    for weight in classifier.trainable_variables:
        weight.assign(weight + rng.normal(0, 0.3, weight.shape))
    classifier.save_to_preset(path)
    return str(path)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Flags that say where train, dev and test are, presets, and texts without labels."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "train.tsv").write_text(TABLE, encoding="utf-8")
    (folder / "texts.txt").write_text("\n".join(UNLABELLED), encoding="utf-8")
    return types.SimpleNamespace(
        flags=[flag for name in ("--train", "--dev", "--test") for flag in (name, str(folder / "train.tsv"))],
        teacher=make_preset(folder / "teacher"),
        narrow=make_preset(folder / "narrow", 2, hidden_dim=6),
        texts=str(folder / "texts.txt"),
    )


@pytest.fixture(scope="module")
def taught(data, tmp_path_factory):
    """A run with a teacher that is there, and a confidence that some texts miss."""
    output = tmp_path_factory.mktemp("taught") / "out"
    teacher = keras_bert.BertClassifier.from_preset(data.teacher, sequence_length=12)
    texts = [text for text in UNLABELLED if text]
    probabilities = teacher.predict(texts, verbose=0)
    confidence = float(np.sort(probabilities.max(axis=1))[2:4].mean())
    flags = ["--teacher", data.teacher, "--unlabelled", data.texts, "--confidence", str(confidence)]
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        metrics = recipe.main([*data.flags, *flags, *QUICK, "--layers", "1", "--output", str(output)])
    rows = [row for row, p in enumerate(probabilities) if max(p) >= confidence]
    counts = [sum(probabilities[row].argmax() == place for row in rows) for place in (0, 1)]
    return types.SimpleNamespace(output=output, metrics=metrics, printed=printed.getvalue(), counts=counts)


def test_every_result_is_there_and_is_the_students(taught):
    assert {path.name for path in taught.output.iterdir()} - {"logs"} == RESULTS
    metrics = json.loads((taught.output / "metrics.json").read_text())
    assert metrics == json.loads(json.dumps(taught.metrics))
    assert metrics["examples"] == {"train": 8, "dev": 8, "test": 8} and metrics["labels"] == ["no", "yes"]
    teacher, student = metrics["teacher"], metrics["student"]
    assert student["parameters"] < teacher["parameters"]
    assert student["megabytes"] == pytest.approx(student["parameters"] * 4e-6)
    for name in ("teacher", "student"):
        assert set(metrics[name]) == {"parameters", "megabytes", "texts_per_second", "dev", "test"}
        assert metrics[name]["texts_per_second"] > 0
    assert {"val_labels_accuracy", "val_teacher_loss", "val_hidden_loss"} <= set(metrics["history"])
    again = keras_bert.BertClassifier.from_preset(taught.output / "preset")
    assert len(again.encoder.blocks) == 1 and again.count_params() == student["parameters"]
    texts = [line.split("\t")[0] for line in TABLE.splitlines()[1:]]
    labels = np.array([line.split("\t")[1] == "yes" for line in TABLE.splitlines()[1:]])
    right = again.predict(texts, verbose=0).argmax(axis=1) == labels
    assert student["test"]["accuracy"] == pytest.approx(right.mean())


def test_exactly_the_texts_that_the_teacher_is_sure_of_are_taken(taught):
    assert 0 < sum(taught.counts) == 7 - 3
    assert taught.metrics["unlabelled"] == {"texts": 7, "taken": {"no": taught.counts[0], "yes": taught.counts[1]}}
    shown = f"Of 7 unlabelled texts 4 are taken, by a probability of {taught.metrics['arguments']['confidence']}: "
    assert shown + f"no {taught.counts[0]}, yes {taught.counts[1]}" in taught.printed


def test_the_printed_code_asks_the_saved_model(taught):
    code = taught.printed[taught.printed.index("import tensorflow as tf") :]
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(code, "printed", "exec"), {})
    assert "'label'" in printed.getvalue()


@pytest.mark.slow
def test_a_teacher_is_fitted_and_learns_from_its_own_labels(data, tmp_path):
    flags = ["--preset", data.teacher, "--unlabelled", data.texts, "--confidence", "0.5001", "--rounds", "1"]
    flags += ["--hard-labels", "--size", "tiny", "--alpha", "0.9", "--temperature", "3"]
    metrics = recipe.main([*data.flags, *flags, *QUICK, "--output", str(tmp_path / "out")])
    assert {path.name for path in (tmp_path / "out").iterdir()} - {"logs"} == RESULTS | {"teacher"}
    teacher = keras_bert.BertClassifier.from_preset(tmp_path / "out" / "teacher" / "preset")
    before = keras_bert.BertClassifier.from_preset(data.teacher)
    assert abs(teacher.logits_layer.kernel.numpy() - before.logits_layer.kernel.numpy()).max() > 1e-4
    student = keras_bert.BertClassifier.from_preset(tmp_path / "out" / "preset")
    assert student.encoder.arguments["hidden_dim"] == keras_bert.SIZES["tiny"]["hidden_dim"]
    assert "val_hidden_loss" not in metrics["history"] and metrics["unlabelled"]["texts"] == 7


def parse(*flags):
    return recipe.build_parser().parse_args([*map(str, flags), *QUICK])


def test_the_student_is_what_the_flags_say(data):
    teacher = keras_bert.BertClassifier.from_preset(data.teacher)
    found = recipe.build_distiller(parse(), teacher)
    assert len(found.student.encoder.blocks) == 1 and found.hidden_weight == 10.0
    np.testing.assert_array_equal(
        found.student.encoder.blocks[0].query.kernel, teacher.encoder.blocks[1].query.kernel
    )
    found = recipe.build_distiller(parse("--layers", "1,0", "--hidden-weight", 0.5), teacher)
    assert len(found.student.encoder.blocks) == 2 and found.hidden_weight == 0.5
    found = recipe.build_distiller(parse("--student", data.narrow), teacher)
    assert found.student.encoder.arguments["hidden_dim"] == 6 and found.hidden_weight == 0
    assert (len(found.student.encoder.blocks), found.temperature, found.alpha) == (2, 2.0, 0.5)
    found = recipe.build_distiller(parse("--student", data.narrow, "--layers", 1), teacher)
    assert len(found.student.encoder.blocks) == 1


def test_tables_of_pairs_are_read_without_labels(write):
    table = write("pairs.tsv", "a\tb\tlabel\none\ttwo\tx\nthree\tfour\ty\n")
    pairs = self_training.read_unlabelled(table, ["a", "b"], True)
    assert pairs == [("one", "two"), ("three", "four")]
    assert self_training.as_inputs(pairs) == (["one", "three"], ["two", "four"])
    lines = self_training.read_unlabelled(write("a.txt", "\ufeff一 二\tthree \r\n\n four\n"), ["text"], True)
    assert lines == [("一 二\tthree ",), (" four",)]
    assert self_training.as_inputs(lines) == ["一 二\tthree ", " four"]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--confidence", "0.5"], "`confidence` must be at most 1 and above 0.5"),
        (["--confidence", "1.5"], "Received: 1.5"),
        (["--unlabelled", "TEXTS", "--confidence", "1"], "a label of that probability. Received: confidence=1.0; the"),
        (["--unlabelled", "/no/texts.txt"], "No such file"),
        (["--unlabelled", "EMPTY"], "must hold at least one row. Received: .*empty.txt"),
        (["--unlabelled", "BAD"], "can't decode byte"),
        (["--unlabelled", "TEXTS", "--text-pair-column", "text"], "Pairs of texts need a table. Received: .*texts.txt"),
        (["--rounds", "1"], "Rounds of self-training need texts. Received: --rounds without --unlabelled"),
        (["--rounds", "-1"], "--rounds: must be at least 1, received -1"),
        (["--layers", "3"], "`layers` must be at most 2, how many there are"),
        (["--layers", "two"], "--layers: invalid layer_list value: 'two'"),
        (["--layers", "1", "--size", "tiny"], "A --size has its own layers"),
        (["--student", "NARROW", "--hidden-weight", "1"], "equally wide. Received: hidden_dim=6 of the student"),
        (["--alpha", "2"], "`alpha` must be a finite number from 0 to 1. Received: 2.0"),
        (["--preset", "TEACHER"], "A fitted teacher needs no --preset. Received: both"),
        (["--train", "LABELS"], "Labels must be the teacher's, no, yes. Received: maybe. Rename"),
    ],
)
def test_bad_input_is_refused_before_the_training(data, write, tmp_path, capsys, flags, message):
    places = {
        "TEXTS": data.texts,
        "NARROW": data.narrow,
        "TEACHER": data.teacher,
        "EMPTY": write("empty.txt", "\n\n"),
        "BAD": write("bad.txt", b"\xff\xfe\x00"),
        "LABELS": write("labels.tsv", TABLE + "film\tmaybe\n"),
    }
    flags = [places.get(flag, flag) for flag in flags]
    with pytest.raises(SystemExit):
        recipe.main([*data.flags, "--teacher", data.teacher, *QUICK, *flags, "--output", str(tmp_path / "out")])
    error = " ".join(capsys.readouterr().err.split())
    assert re.search(message, error), error
    assert not (tmp_path / "out" / "preset").exists()


@pytest.mark.slow
def test_the_sample_data_is_learned(tmp_path):
    metrics = recipe.main(["--output", str(tmp_path / "out")])
    print(metrics["teacher"], metrics["student"], metrics["unlabelled"])
    assert metrics["student"]["parameters"] < metrics["teacher"]["parameters"]
    assert metrics["student"]["dev"]["accuracy"] > 0.65
