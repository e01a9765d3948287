"""GLUE's files are read as its own download leaves them, and a bad row is named with its file and line."""

import re

import pytest
from glue_data import TASKS, read_task, read_tests

from tests import glue_files
from tests.glue_files import write_glue


def columns(task, rows):
    """What should be read of rows: columns of texts, and labels."""
    first, second, labels = (list(column) for column in zip(*rows, strict=True))
    texts = (first,) if task in glue_files.SINGLE else (first, second)
    return texts, [float(label) for label in labels] if task == "STS-B" else labels


@pytest.mark.parametrize("task", TASKS)
def test_every_task_is_read_from_its_own_columns(tmp_path, task):
    sets = read_task(write_glue(tmp_path, [task]), task)
    dev_sets = glue_files.DEV_FILES.get(task, ("dev",))
    assert list(sets) == ["train", *dev_sets]
    for shift, (name, examples) in enumerate(sets.items()):
        rows = glue_files.rows_of(task, 8 if name == "train" else 6, shift)
        assert (examples.texts, examples.labels) == columns(task, rows)
        assert examples.inputs() == (examples.texts[0] if task in glue_files.SINGLE else examples.texts)
        assert examples.torn == []


@pytest.mark.parametrize("task", TASKS)
def test_test_data_are_read_with_their_indices(tmp_path, task):
    names = ["MNLI-m", "MNLI-mm", "AX"] if task == "MNLI" else [task]
    tests = read_tests(write_glue(tmp_path, [task]), task)
    assert list(tests) == names
    for name, (indices, examples) in tests.items():
        count, shift = (7, 5) if name == "AX" else (5, 3 + (name == "MNLI-mm"))
        assert indices == [str(row) for row in range(count)]
        assert examples.texts == columns(task, glue_files.rows_of(task, count, shift))[0] and not examples.labels


def test_without_test_data_there_are_none(tmp_path):
    data = write_glue(tmp_path, TASKS, test=0)
    assert [read_tests(data, task) for task in TASKS] == [{}] * 9


def original_mrpc(folder, dev_ids="dev_ids.tsv"):
    """What MRPC's split is made from: all pairs, and which are for dev; rows end as in files of Windows."""
    (folder / "MRPC").mkdir()
    rows = glue_files.rows_of("MRPC", 5)
    for split in ("train", "test"):
        text = glue_files.lines(*glue_files.TRAIN["MRPC"], rows).replace("\n", "\r\n")
        (folder / "MRPC" / f"msr_paraphrase_{split}.txt").write_text(text, encoding="utf-8", newline="")
    (folder / "MRPC" / dev_ids).write_text("301\t302\n101\t102\n002\t001\n")
    return rows


@pytest.mark.parametrize("dev_ids", ["dev_ids.tsv", "mrpc_dev_ids.tsv"])
def test_mrpc_is_divided_by_the_ids_of_dev(tmp_path, dev_ids):
    rows = original_mrpc(tmp_path, dev_ids)
    sets = read_task(tmp_path, "MRPC")
    assert (sets["train"].texts, sets["train"].labels) == columns("MRPC", [rows[0], rows[2], rows[4]])
    assert (sets["dev"].texts, sets["dev"].labels) == columns("MRPC", [rows[1], rows[3]])
    indices, examples = read_tests(tmp_path, "MRPC")["MRPC"]
    assert indices == ["0", "1", "2", "3", "4"] and examples.texts == columns("MRPC", rows)[0]


def test_the_real_mrpc_is_read_whole(tmp_path, shared_data):
    (tmp_path / "MRPC").mkdir()
    for name, part in (("train", "train"), ("dev", "val")):
        content = (shared_data / "mrpc" / f"msr-para-{part}.tsv").read_bytes()
        (tmp_path / "MRPC" / f"{name}.tsv").write_bytes(content)
    sets = read_task(tmp_path, "MRPC")
    counts = {name: (len(examples.labels), examples.labels.count("1")) for name, examples in sets.items()}
    assert counts == {"train": (3576, 2407), "dev": (500, 346)}  # as its source says


def test_rows_of_qqp_that_are_torn_in_two_are_left_out_and_counted(tmp_path):
    data = write_glue(tmp_path, ["QQP"])
    path = data / "QQP" / "train.tsv"
    path.write_text(path.read_text() + "8\t7\t8\twhy\nso?\tno\t1\n9\t7\t8\tlast\tone\t1\n")
    train = read_task(data, "QQP")["train"]
    assert train.torn == [10, 11] and len(train.labels) == 9
    assert [column[-1] for column in train.texts] == ["last", "one"]


@pytest.mark.parametrize("task", TASKS)
def test_a_missing_file_is_named(tmp_path, task):
    for name in ("train", *glue_files.DEV_FILES.get(task, ("dev",))):
        data = write_glue(tmp_path / name, [task])
        (data / task / f"{name}.tsv").unlink()
        message = f"{task} must have {name}.tsv. Received: no file '.*{task}.*{name}.tsv'.*leave the task out"
        with pytest.raises(ValueError, match=message):
            read_task(data, task)


@pytest.mark.parametrize("task", TASKS)
def test_an_empty_file_is_named(tmp_path, task):
    data = write_glue(tmp_path, [task])
    path = data / task / "train.tsv"
    for content in ("", glue_files.TRAIN[task][0]):
        path.write_text(content, encoding="utf-8")
        with pytest.raises(ValueError, match=f"at least one row. Received: '{re.escape(str(path))}', which is empty"):
            read_task(data, task)


def spoil(data, task, name, row, spoilt):
    """Puts another row in a place of a file, and gives its line."""
    path = data / task / f"{name}.tsv"
    parts = path.read_text(encoding="utf-8").splitlines(keepends=True)
    line = row + (task != "CoLA" or name == "test")
    parts[line] = spoilt(parts[line])
    path.write_text("".join(parts), encoding="utf-8")
    return rf"line {line + 1}\)? of '{re.escape(str(path))}'"


def shorter(line):
    return line.partition("\t")[2]


def longer(line):
    return "more\t" + line


@pytest.mark.parametrize("task", [task for task in TASKS if task != "QQP"])
@pytest.mark.parametrize("spoilt", [shorter, longer])
def test_a_row_with_another_number_of_columns_is_named(tmp_path, task, spoilt):
    data = write_glue(tmp_path, [task])
    place = spoil(data, task, "train", 2, spoilt)
    with pytest.raises(ValueError, match=f"as many columns as the (header|first row), .* in row 3 .{place}"):
        read_task(data, task)


@pytest.mark.parametrize("task", TASKS)
def test_a_torn_row_of_test_data_is_named(tmp_path, task):
    data = write_glue(tmp_path, [task])
    place = spoil(data, task, glue_files.TEST_FILES.get(task, ("test",))[0], 4, shorter)
    with pytest.raises(ValueError, match=f"as many columns as the header.*{place}"):
        read_tests(data, task)


@pytest.mark.parametrize("wrong", ["2", "", "Entailment", "-"])
@pytest.mark.parametrize("task", [task for task in TASKS if task != "STS-B"])
def test_a_label_that_is_not_the_tasks_is_named(tmp_path, task, wrong):
    data = write_glue(tmp_path, [task])
    name = glue_files.DEV_FILES.get(task, ("dev",))[-1]
    labels = {label for *_, label in glue_files.rows_of(task, 3)}
    rows = glue_files.rows_of(task, 6, 1)
    spoilt = glue_files.lines("", glue_files.DEV[task][1], [(*rows[1][:2], wrong)])
    place = spoil(data, task, name, 1, lambda line: spoilt)
    with pytest.raises(ValueError, match=f"label of {task} must be one of .* Received: '{wrong}' in {place}") as error:
        read_task(data, task)
    assert all(label in str(error.value) for label in labels)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("5.01", "label of STS-B must be a number from 0 to 5. Received: '5.01' in "),
        ("-0.2", "label of STS-B must be a number from 0 to 5. Received: '-0.2' in "),
        ("high", "must be a finite number. Received: 'high' in "),
        ("nan", "must be a finite number. Received: 'nan' in "),
        ("", "must be a finite number. Received: '' in "),
    ],
)
def test_a_score_of_sts_that_is_none_is_named(tmp_path, wrong, message):
    data = write_glue(tmp_path, ["STS-B"])
    place = spoil(data, "STS-B", "train", 3, lambda line: line.rpartition("\t")[0] + f"\t{wrong}\n")
    with pytest.raises(ValueError, match=message + place):
        read_task(data, "STS-B")


def test_a_file_without_its_columns_is_named(tmp_path):
    data = write_glue(tmp_path, ["RTE"])
    (data / "RTE" / "dev.tsv").write_text("index\tpremise\thypothesis\tlabel\n0\ta\tb\tentailment\n")
    with pytest.raises(ValueError, match="'sentence1', but '.*dev.tsv' has the columns index, premise, hypothesis"):
        read_task(data, "RTE")


def test_ids_of_mrpcs_dev_are_needed_and_must_fit(tmp_path):
    original_mrpc(tmp_path)
    (tmp_path / "MRPC" / "dev_ids.tsv").write_text("77\t78\n")
    with pytest.raises(ValueError, match="dev_ids.tsv must name a part of the pairs in msr.*Received: 0 of 5 pairs"):
        read_task(tmp_path, "MRPC")
    (tmp_path / "MRPC" / "dev_ids.tsv").unlink()
    with pytest.raises(ValueError, match="MRPC must have dev_ids.tsv. Received: no file '.*dev_ids.tsv'"):
        read_task(tmp_path, "MRPC")
