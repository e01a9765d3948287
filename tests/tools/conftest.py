"""A model and texts for the benchmarks, made here, and the benchmarks themselves as modules."""

import importlib
import json
import lzma
import pathlib
import random
import tarfile

import pytest

import keras_bert

TOOLS = pathlib.Path(__file__).parents[2] / "tools"
WORDS = [
    "a",
    "fine",
    "film",
    "is",
    "not",
    "bore",
    "story",
    "of",
    "two",
    "people",
    "who",
    "sing",
    ",",
    "again",
    "!",
    "car",
]
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def sentences(count, longest=20):
    draw = random.Random(count)
    return [" ".join(draw.choices(WORDS, k=draw.randint(2, longest))) for _ in range(count)]


@pytest.fixture
def tool(monkeypatch):
    """Imports a tool; its workers run here, because a process for each would take a minute."""
    monkeypatch.syspath_prepend(str(TOOLS))
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "true")

    def load(name):
        module = importlib.import_module(name)

        def run_here(script, argv, peer, *more):
            return module.main([*argv, "--worker", peer, *map(str, more)])

        if hasattr(module, "main") and hasattr(module, "run_worker"):
            monkeypatch.setattr(module, "run_worker", run_here)
        return module

    return load


@pytest.fixture(scope="module")
def vocabulary(tmp_path_factory):
    path = tmp_path_factory.mktemp("vocabulary") / "vocab.txt"
    path.write_text("\n".join(SPECIAL + WORDS) + "\n")
    return path


@pytest.fixture(scope="module")
def model(vocabulary, tmp_path_factory):
    tokenizer = keras_bert.BertTokenizer(str(vocabulary))
    sizes = {
        "num_layers": 1,
        "num_heads": 3,
        "hidden_dim": 12,
        "intermediate_dim": 20,
        "max_sequence_length": 32,
    }
    encoder = keras_bert.BertEncoder(len(tokenizer.vocabulary), **sizes)
    preprocessor = keras_bert.BertPreprocessor(tokenizer, sequence_length=32)
    path = tmp_path_factory.mktemp("model") / "preset"
    keras_bert.BertClassifier(encoder, preprocessor, labels=["a", "b", "c", "d"]).save_to_preset(path)
    return str(path)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    texts = sentences(24)
    pairs = list(zip(texts, sentences(25)))

    def write(name, lines, head=""):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(head + "".join(line + "\n" for line in lines), encoding="utf-8")

    for split in ("train", "dev"):
        write(f"sst2/{split}.tsv", (f"{text}\t{i % 2}" for i, text in enumerate(texts)))
    for split in ("train", "val"):
        rows = (f'{i % 2}\t7\t8\t"{a}\t{b}' for i, (a, b) in enumerate(pairs))
        write(f"mrpc/msr-para-{split}.tsv", rows, "\ufeffQuality\t#1 ID\t#2 ID\t#1 String\t#2 String\n")
    labels = ["NEUTRAL", "ENTAILMENT", "CONTRADICTION"]
    for split in ("train", "trial"):
        rows = (f"{i}\t{a}\t{b}\t3.5\t{labels[i % 3]}" for i, (a, b) in enumerate(pairs))
        write(
            f"sick/SICK_{split}.txt", rows, "pair_ID\tsentence_A\tsentence_B\trelatedness_score\tjudgment\n"
        )
    for name in ("2012.OnWN.test", "2013.FNWN.test", "2015.images.test", "2015.belief.test"):
        rows = (f"{i % 6 if i else ''}\t{a}\t{b}" for i, (a, b) in enumerate(pairs))
        write(f"sts_semeval/{name}.tsv", rows)
    for name in ("wnut17train", "emerging.dev"):
        rows = ("".join(f"{word}\t{'B-car' if word == 'car' else 'O'}\n" for word in text.split()) for text in texts)
        write(f"wnut17/{name}.conll", rows)
    questions = [{"id": str(i), "question": text} for i, text in enumerate(texts)]
    for question, text in zip(questions, texts):
        question["answers"] = [{"text": text.split()[-1], "answer_start": len(text) - len(text.split()[-1])}]
    paragraphs = [{"context": text, "qas": [question]} for text, question in zip(texts, questions)]
    dataset = json.dumps({"data": [{"title": "", "paragraphs": paragraphs}]})
    write("squad/train-v1.1.first-1280000-bytes.json", [dataset])
    (folder / "squad" / "dev-v1.1.rebuilt.json.xz").write_bytes(lzma.compress(dataset.encode()))
    return folder


@pytest.fixture
def results(tmp_path):
    """Flags for a results file, and what stands in it."""

    class Results:
        flags = ("--results", str(tmp_path / "results.jsonl"))

        def lines(self):
            return [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]

    return Results()


@pytest.fixture
def novels(tmp_path):
    """An archive with one book of 30 lines."""
    book = tmp_path / "book.txt"
    book.write_text("\n\n".join(sentences(30)), encoding="utf-8")
    with tarfile.open(tmp_path / "novels.tar.xz", "w:xz") as archive:
        archive.add(book, "book.txt")
    return str(tmp_path / "novels.tar.xz")
