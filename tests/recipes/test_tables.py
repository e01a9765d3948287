"""Columns come out of every kind of file as they are, and a bad row is named."""

import sys

import numpy as np
import pytest
from tables import read_columns


def test_columns_are_found_by_name_in_the_order_asked_for(write):
    path = write("a.tsv", "id\ttext\tlabel\n1\tgood film\tyes\n2\tbad film\tno\n")
    assert read_columns(path, ["label", "text"]) == [("yes", "good film"), ("no", "bad film")]


def test_columns_are_found_by_number_counted_from_0(write):
    path = write("a.tsv", "id\ttext\n7\tgood film\n")
    assert read_columns(path, ["1", "0"]) == [("good film", "7")]


def test_a_name_that_is_a_number_is_a_name_first(write):
    assert read_columns(write("a.tsv", "1\t0\na\tb\n"), ["1"]) == [("a",)]


def test_without_a_header_the_first_line_is_a_row(write):
    path = write("a.csv", "good film,yes\nbad film,no\n")
    assert read_columns(path, ["0", "1"], header=False) == [("good film", "yes"), ("bad film", "no")]


def test_tsv_has_no_quoting(write):
    path = write("a.tsv", 'text\tlabel\n"Well" he said\t1\n"never closed\t0\n')
    assert read_columns(path, ["text"]) == [('"Well" he said',), ('"never closed',)]


def test_csv_is_quoted(write):
    path = write("a.csv", 'text,label\n"one, ""two""\nthree",1\n')
    assert read_columns(path, ["text", "label"]) == [('one, "two"\nthree', "1")]


def test_csv_reads_long_documents(write):
    path = write("a.csv", "text,label\n" + "x" * 200_000 + ",1\n")
    assert len(read_columns(path, ["text"])[0][0]) == 200_000


def test_jsonl_keeps_types_and_takes_objects_and_lists(write):
    objects = write("a.jsonl", '{"text": "好", "label": 1}\n\n{"label": ["a", "b"], "text": "no"}\n')
    assert read_columns(objects, ["text", "label"]) == [("好", 1), ("no", ["a", "b"])]
    assert read_columns(write("b.jsonl", '["x", 0.5]\n'), ["0", "1"]) == [("x", 0.5)]


def test_line_ends_and_byte_order_mark_of_windows_do_not_matter(write):
    path = write("a.tsv", b"\xef\xbb\xbftext\tlabel\r\ngood\tyes\r\n\r\nbad\tno")
    assert read_columns(path, ["text", "label"]) == [("good", "yes"), ("bad", "no")]


def test_separators_of_lines_within_a_text_stay(write):
    text = "one\u2028two\x0bthree\x85four"
    assert read_columns(write("a.tsv", f"text\n{text}\n"), ["text"]) == [(text,)]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "a.tsv",
            "text\tlabel\na\tb\nc\n",
            r"columns as the header, 2. Received: 1 in row 2 \(line 3\).*missing or",
        ),
        ("a.tsv", "text\tlabel\n\na\tb\tc\n", r"Received: 3 in row 1 \(line 3\) of '.*a.tsv'"),
        ("a.csv", 'text,label\n"a\nb",1\nc,d,e\n', r"Received: 3 in row 2 \(line 4\).*hold a comma"),
        ("a.csv", 'text,label\na,1\n"b,2\nc,3\n', r"double quotes.*row 2 \(line 3\)"),
        ("a.csv", 'text,label\n"a"b,1\n', r"double quotes.*expected after.*row 1 \(line 2\)"),
        ("a.jsonl", '{"text": "a", "label": 1}\n{"text": \n', r"must be JSON.*row 2 \(line 2\)"),
        (
            "a.jsonl",
            '{"text": "a", "label": 1}\n\n{"text": "b"}\n',
            r"column 'label'. Received: text in row 2 ",
        ),
        ("a.jsonl", '{"text": "a", "label": null}\n', r"column 'label'.*row 1"),
        ("a.jsonl", '"text"\n', r"object or a list. Received: str in row 1"),
        ("a.tsv", b"text\tlabel\na\t1\n\xff\xfe\t2\n", "must be UTF-8.*line 3 of '.*a.tsv'"),
        ("a.tsv", "sentence\tlabel\na\tb\n", "'text', but '.*' has the columns sentence, label. Name one"),
        ("a.tsv", "text\ttext\tlabel\na\tb\tc\n", "'text', but .*names it once"),
    ],
)
def test_a_bad_row_is_named(write, name, content, message):
    with pytest.raises(ValueError, match=message):
        read_columns(write(name, content), ["text", "label"])


@pytest.mark.parametrize(("column", "header"), [("2", True), ("2", False), ("text", False), ("-1", True)])
def test_a_column_that_is_not_there_is_named(write, column, header):
    with pytest.raises(ValueError, match=f"a number counted from 0. Received: '{column}'"):
        read_columns(write("a.csv", "text,label\na,b\n"), [column], header)


@pytest.mark.parametrize("content", ["", "\n\n", "text\tlabel\n"])
def test_an_empty_file_is_refused(write, content):
    with pytest.raises(ValueError, match=r"at least one row. Received: '.*a.tsv', which is empty"):
        read_columns(write("a.tsv", content), ["text"])


def test_another_ending_is_refused(write):
    with pytest.raises(
        ValueError, match=r"one of .tsv, .csv, .jsonl. Received: '.*a.xlsx'. Rename or convert"
    ):
        read_columns(write("a.xlsx", "text"), ["text"])


@pytest.mark.parametrize("name", ["nowhere.tsv", "folder.tsv"])
def test_a_file_that_is_not_there_is_refused(tmp_path, name):
    (tmp_path / "folder.tsv").mkdir()
    with pytest.raises(ValueError, match=f"must exist. Received: '.*{name}'"):
        read_columns(str(tmp_path / name), ["text"])


def test_tensorflow_datasets_are_read_with_the_names_of_their_classes(tmp_path, monkeypatch):
    tfds = pytest.importorskip("tensorflow_datasets")
    features = tfds.features.FeaturesDict(
        {
            "sentence": tfds.features.Text(),
            "label": tfds.features.ClassLabel(names=["bad", "good"]),
            "stars": tfds.features.Scalar(np.float32),
        }
    )
    rows = {"train": [("fine", 1, 0.5), ("sad", 0, 0.25)], "hidden": [("what", -1, 0.0)]}

    def load(name, split, with_info, shuffle_files):
        assert (name, with_info, shuffle_files) == ("my_set/small:1.0.0", True, False)
        dataset = ({"sentence": a.encode(), "label": b, "stars": c} for a, b, c in rows[split])
        return dataset, type("Info", (), {"features": features})

    monkeypatch.setattr(tfds, "load", load)
    monkeypatch.setattr(tfds, "as_numpy", lambda dataset: dataset)
    columns = ["sentence", "label", "stars"]
    assert read_columns("tfds:my_set/small:1.0.0:train", columns) == [
        ("fine", "good", 0.5),
        ("sad", "bad", 0.25),
    ]
    with pytest.raises(
        ValueError, match="must have a label. Received: none in row 1 of 'tfds:my_set.*hidden'"
    ):
        read_columns("tfds:my_set/small:1.0.0:hidden", columns)
    with pytest.raises(ValueError, match="feature of the dataset. Received: 'text'.*sentence, label, stars"):
        read_columns("tfds:my_set/small:1.0.0:train", ["text"])


def test_a_dataset_needs_name_and_split():
    with pytest.raises(ValueError, match="\"tfds:NAME:SPLIT\". Received: 'tfds:imdb'"):
        read_columns("tfds:imdb", ["text"])


def test_without_tensorflow_datasets_the_remedy_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(ValueError, match="not installed. Run `pip install tensorflow-datasets`"):
        read_columns("tfds:imdb:train", ["text"])
