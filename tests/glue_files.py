"""A GLUE folder of a few rows, in the columns of the official files; among the texts are quotes that do not close."""

import itertools

import keras_bert

TEXTS = ["a fine film", '"bad story', "it is not good ", 'a "long" day', "films of the day", "bore", "no “story”"]
PARSES = "sentence1_binary_parse\tsentence2_binary_parse\tsentence1_parse\tsentence2_parse"
MNLI = f"index\tpromptID\tpairID\tgenre\t{PARSES}"
PAIR = "index\tsentence1\tsentence2"
# Headers and rows with the places of texts (a, b), label, and row number.
TRAIN = {
    "CoLA": ("", "gj04\t{label}\t*\t{a}"),
    "SST-2": ("sentence\tlabel", "{a}\t{label}"),
    "MRPC": ("\ufeffQuality\t#1 ID\t#2 ID\t#1 String\t#2 String", "{label}\t{row}01\t{row}02\t{a}\t{b}"),
    "STS-B": (
        "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2\tscore",
        "{row}\tmain-news\tmsr\t2012test\t0001\tnone\tnone\t{a}\t{b}\t{label}",
    ),
    "QQP": ("id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate", "{row}\t7\t8\t{a}\t{b}\t{label}"),
    "MNLI": (
        f"{MNLI}\tsentence1\tsentence2\tlabel1\tgold_label",
        "{row}\t3\t3n\tfiction\t( a )\t( b )\t(R a)\t(R b)\t{a}\t{b}\tneutral\t{label}",
    ),
    "QNLI": ("index\tquestion\tsentence\tlabel", "{row}\t{a}\t{b}\t{label}"),
    "RTE": (f"{PAIR}\tlabel", "{row}\t{a}\t{b}\t{label}"),
    "WNLI": (f"{PAIR}\tlabel", "{row}\t{a}\t{b}\t{label}"),
}
DEV = TRAIN | {
    "MNLI": (
        f"{MNLI}\tsentence1\tsentence2\tlabel1\tlabel2\tlabel3\tlabel4\tlabel5\tgold_label",
        "{row}\t3\t3n\tfiction\t( a )\t( b )\t(R a)\t(R b)\t{a}\t{b}" + "\tneutral" * 5 + "\t{label}",
    ),
}
TEST = {
    "CoLA": ("index\tsentence", "{row}\t{a}"),
    "SST-2": ("index\tsentence", "{row}\t{a}"),
    "MRPC": ("index\t#1 ID\t#2 ID\t#1 String\t#2 String", "{row}\t7\t8\t{a}\t{b}"),
    "STS-B": (
        "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2",
        "{row}\tmain-news\tmsr\t2012test\t0001\tnone\tnone\t{a}\t{b}",
    ),
    "QQP": ("id\tquestion1\tquestion2", "{row}\t{a}\t{b}"),
    "MNLI": (
        f"{MNLI}\tsentence1\tsentence2",
        "{row}\t3\t3n\tfiction\t( a )\t( b )\t(R a)\t(R b)\t{a}\t{b}",
    ),
    "QNLI": ("index\tquestion\tsentence", "{row}\t{a}\t{b}"),
    "RTE": (PAIR, "{row}\t{a}\t{b}"),
    "WNLI": (PAIR, "{row}\t{a}\t{b}"),
}
SINGLE = ("CoLA", "SST-2")
DEV_FILES = {"MNLI": ("dev_matched", "dev_mismatched")}
TEST_FILES = {"MNLI": ("test_matched", "test_mismatched")}


def rows_of(task, count, shift=0):
    """Texts and labels of so many examples; another shift gives others."""
    labels = keras_bert.metrics.GLUE_LABELS[task] or ("0.0", "5.0", "2.50", "3.8")
    pairs = itertools.islice(zip(itertools.cycle(TEXTS), itertools.cycle(TEXTS[2:])), shift, shift + count)
    return [(a, b, labels[(row + shift) % len(labels)]) for row, (a, b) in enumerate(pairs)]


def lines(header, form, rows):
    body = [form.format(row=row, a=a, b=b, label=label) for row, (a, b, label) in enumerate(rows)]
    return "".join(line + "\n" for line in [header, *body] if line)


def write_glue(folder, tasks, train=8, dev=6, test=5):
    """Writes the files of some tasks; with `test=0` those that have labels only."""
    for task in tasks:
        (folder / task).mkdir(parents=True)
        files = {"train": lines(*TRAIN[task], rows_of(task, train))}
        for shift, name in enumerate(DEV_FILES.get(task, ("dev",)), start=1):
            files[name] = lines(*DEV[task], rows_of(task, dev, shift))
        for shift, name in enumerate(TEST_FILES.get(task, ("test",)) if test else (), start=3):
            files[name] = lines(*TEST[task], rows_of(task, test, shift))
        for name, text in files.items():
            (folder / task / f"{name}.tsv").write_text(text, encoding="utf-8", newline="")
    if "MNLI" in tasks and test:
        (folder / "diagnostic").mkdir()
        text = lines(PAIR, "{row}\t{a}\t{b}", rows_of("MNLI", test + 2, 5))
        (folder / "diagnostic" / "diagnostic.tsv").write_text(text, encoding="utf-8", newline="")
    return folder
