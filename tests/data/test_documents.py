"""Documents from files of every kind, and what is said of files that are none."""

import gzip
import json
import lzma
import tracemalloc

import pytest
import tensorflow as tf

from keras_bert.data import documents
from keras_bert.data.documents import ReadingReport, find_files, read_documents


@pytest.fixture
def read(tmp_path):
    """Reads one file with this content."""

    def read_one(content, name="a.txt", report=None, **how):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
        return list(read_documents([path], report=report, **how))

    return read_one


# ---- Text


def test_a_file_is_a_document_and_blank_lines_end_its_paragraphs(read):
    assert read("One line.\n\n\n  Another.  \n \t\nA third.") == [["One line.", "Another.", "A third."]]


def test_blank_lines_can_end_documents(read):
    found = read("One.\nTwo.\n\nThree.\n\n\n", separator="blank_line", sentence_per_line=True)
    assert found == [["One.", "Two."], ["Three."]]


def test_wrapped_lines_are_joined_and_long_lines_are_paragraphs(read):
    long = "x" * 101
    content = f"The wrapped\nlines of\none paragraph.\n\n{long}\nshort\n{long}"
    assert read(content) == [["The wrapped lines of one paragraph.", long, "short", long]]
    assert read(content, sentence_per_line=True)[0][:2] == ["The wrapped", "lines of"]


def test_chinese_lines_are_joined_without_spaces(read):
    assert read("我们来到\n北京。\nGood\n天气") == [["我们来到北京。 Good 天气"]]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_byte_order_mark_and_line_ends_do_not_show(read, end):
    report = ReadingReport()
    assert read(b"\xef\xbb\xbf" + f"One{end}two.{end}{end}Three.{end}".encode(), report=report) == [
        ["One two.", "Three."]
    ]
    assert report.invalid_bytes == 0


def test_invalid_bytes_are_dropped_and_counted(read):
    report = ReadingReport()
    assert read(b"caf\xc3\xa9 na\xefve \xff\xfe\xe4\xb8\n\nend", report=report) == [["café nave", "end"]]
    assert report.invalid_bytes == 5


def test_the_report_counts(tmp_path, read):
    report = ReadingReport()
    contents = ["One.\n\nTwo.", "", "\n \n"]
    for place, content in enumerate(contents):
        read(content, f"{place}.txt", report)
    assert (report.files, report.empty_files, report.documents) == (3, 2, 1)
    assert report.bytes == sum(map(len, contents))


def test_a_document_of_any_size_is_cut_into_pieces_that_fit_into_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(documents, "_LONGEST_DOCUMENT", 2**20)
    path = tmp_path / "large.txt"
    path.write_text("word " * 200 + "\n", encoding="utf-8")
    path.write_text(path.read_text() * 10_000, encoding="utf-8")  # one block of 10 MB
    report = ReadingReport()
    tracemalloc.start()
    sizes = [sum(map(len, paragraphs)) for paragraphs in read_documents([path], report=report)]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(sizes) == 10 and report.cut_documents == 9
    assert sum(sizes) == 10_000 * 999
    assert peak < 2**22


# ---- JSON lines and compression


def test_every_line_of_a_json_file_is_a_document(read):
    lines = [{"text": "One\r\ntwo.\r\n\r\nThree.", "id": 1}, {"text": ""}, {"text": "四。"}]
    content = "\n".join(json.dumps(line) for line in lines) + "\n\n"
    assert read(content, "a.jsonl") == [["One two.", "Three."], ["四。"]]
    assert read(content.replace('"text"', '"body"'), "a.jsonl", text_field="body")[1] == ["四。"]


COMPRESSIONS = [(".gz", gzip.compress), (".xz", lzma.compress), (".GZ", gzip.compress)]


@pytest.mark.parametrize(("suffix", "compress"), COMPRESSIONS)
def test_compressed_files_are_read(read, suffix, compress):
    assert read(compress(b"One.\n\nTwo."), f"a.txt{suffix}") == [["One.", "Two."]]
    assert read(compress(b'{"text": "One."}'), f"a.jsonl{suffix}") == [["One."]]


@pytest.mark.parametrize(("suffix", "compress"), COMPRESSIONS)
def test_a_compressed_file_that_is_cut_short_is_refused(read, suffix, compress):
    whole = compress(b"One line of text.\n" * 1000)
    for content in (whole[:-20], b"no " + whole):
        with pytest.raises(ValueError, match=r"must be whole. Received: '.*a\.txt.*Fetch it again"):
            read(content, f"a.txt{suffix}")


@pytest.mark.parametrize("content", [b"PK\x03\x04\0\0\0", "text".encode("utf-16"), b"\0"])
def test_a_binary_file_is_refused(read, content):
    with pytest.raises(ValueError, match=r"must be UTF-8. Received: '.*a\.txt', which is binary or UTF-16"):
        read(content)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("no json", "field 'text'. Received: 'no json' in line 2 of .*JSONDecodeError"),
        ('{"body": "x"}', 'Received: \'{"body": "x"}\' in line 2 of .*KeyError'),
        ('["text"]', "in line 2 of .*TypeError"),
        ('{"text": 3}', "The field 'text' must be a string. Received: 3 in line 2"),
    ],
)
def test_a_line_that_is_no_document_is_named(read, line, message):
    with pytest.raises(ValueError, match=message):
        read('{"text": "One."}\n' + line, "a.jsonl")


def test_an_unknown_separator_is_refused(read):
    with pytest.raises(
        ValueError, match="`separator` must be 'file' or 'blank_line'. Received: separator='line'"
    ):
        read("One.", separator="line")


# ---- Finding files


def test_files_are_found_by_name_folder_and_glob(tmp_path):
    for name in ("b.txt", "a.txt.gz", "deep/c.jsonl.xz", ".hidden.txt", ".git/d.txt", "e.pdf"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    everything = [tmp_path / name for name in ("a.txt.gz", "b.txt", "deep/c.jsonl.xz")]
    assert find_files([tmp_path]) == everything
    assert find_files([str(tmp_path / "*.txt*"), tmp_path / "b.txt"]) == everything[:2]
    assert find_files([str(tmp_path / "**" / "*.xz")]) == everything[2:]


def test_what_is_not_found_is_said(tmp_path):
    (tmp_path / "e.pdf").write_bytes(b"")
    for pattern in (tmp_path, tmp_path / "none.txt", str(tmp_path / "*.txt")):
        with pytest.raises(ValueError, match="A corpus must hold text files. Received: "):
            find_files([pattern])
    with pytest.raises(
        ValueError, match=r"must end in \.txt, \.jsonl, \.tfrecord, or in these and \.gz or \.xz. Received: .*e\.pdf"
    ):
        find_files([tmp_path / "e.pdf"])


# ---- TFRecords


def write_records(path, *values, feature="text", compression=""):
    with tf.io.TFRecordWriter(str(path), compression) as writer:
        for value in values:
            texts = tf.train.BytesList(value=[value] if isinstance(value, bytes) else value)
            features = tf.train.Features(feature={feature: tf.train.Feature(bytes_list=texts)})
            writer.write(tf.train.Example(features=features).SerializeToString())
    return path


@pytest.mark.parametrize(("name", "compression"), [("a.tfrecord", ""), ("b.tfrecord.gz", "GZIP")])
def test_every_record_is_a_document(tmp_path, name, compression):
    texts = b"One wrapped\nparagraph.\n\nAnother.", b"", "我爱\n北京。".encode() + b"\xff"
    path = write_records(tmp_path / name, *texts, feature="body", compression=compression)
    report = ReadingReport()
    found = list(read_documents(find_files([tmp_path]), text_field="body", report=report))
    assert found == [["One wrapped paragraph.", "Another."], ["我爱北京。"]]
    assert (report.documents, report.invalid_bytes, report.bytes) == (2, 1, sum(map(len, texts)))
    assert find_files([path]) == [path]


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        ("other feature", r"must hold one text in the feature 'text'\. Received: 0 in record 1"),
        ("two texts", "Received: 2 in record 1"),
        ("numbers", "must hold whole records of tf.train.Example, with bytes in 'text'"),
        ("truncated", "must hold whole records"),
        ("xz", "compressed by gzip only"),
    ],
)
def test_records_without_text_are_refused(tmp_path, harm, message):
    path = tmp_path / ("a.tfrecord.xz" if harm == "xz" else "a.tfrecord")
    values = {"two texts": [[b"a", b"b"]]}.get(harm, [b"One text."])
    write_records(path, *values, feature="body" if harm == "other feature" else "text")
    if harm == "truncated":
        path.write_bytes(path.read_bytes()[:-3])
    if harm == "numbers":
        numbers = tf.train.Feature(int64_list=tf.train.Int64List(value=[1]))
        example = tf.train.Example(features=tf.train.Features(feature={"text": numbers}))
        with tf.io.TFRecordWriter(str(path)) as writer:
            writer.write(example.SerializeToString())
    with pytest.raises(ValueError, match=message):
        list(read_documents([path]))
