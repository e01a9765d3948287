"""The splitter on sentences that were cut by hand, and beside pysbd."""

import pathlib

import pytest

from keras_bert.data.sentences import split_sentences

LINES = [
    line
    for line in pathlib.Path(__file__).with_name("sentences.txt").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]


def paragraph_and_sentences(line):
    return line.replace("|", " ").replace("¦", ""), line.replace("¦", "|").split("|")


@pytest.mark.parametrize("line", LINES)
def test_sentences_end_where_a_reader_ends_them(line):
    paragraph, sentences = paragraph_and_sentences(line)
    assert split_sentences(paragraph) == sentences


def test_it_is_at_least_as_good_as_pysbd():
    pysbd = pytest.importorskip("pysbd", reason="pysbd is the peer")
    segmenters = {language: pysbd.Segmenter(language=language, clean=False) for language in ("en", "zh")}

    def peer(paragraph):
        language = "zh" if any("\u4e00" <= character <= "\u9fff" for character in paragraph) else "en"
        return [sentence.strip() for sentence in segmenters[language].segment(paragraph)]

    cases = [paragraph_and_sentences(line) for line in LINES]
    ours = sum(split_sentences(paragraph) == sentences for paragraph, sentences in cases)
    theirs = sum(peer(paragraph) == sentences for paragraph, sentences in cases)
    assert len(cases) >= 80
    assert ours >= theirs > len(cases) / 3


@pytest.mark.parametrize(
    "paragraph", ["", "   ", ".", "...", "。", "?!", "a", "Mr.", "“", "\0. A", ". . . A", "1. 2. 3."]
)
def test_no_text_is_lost(paragraph):
    sentences = split_sentences(paragraph)
    assert "".join("".join(sentences).split()) == "".join(paragraph.split())
    assert all(sentences)


def test_a_megabyte_takes_no_longer_than_its_size_asks_for():
    for text in ("word " * 200_000, "." * 1_000_000, "“" * 1_000_000, "a. " * 300_000, "。" * 300_000):
        assert "".join("".join(split_sentences(text)).split()) == "".join(text.split())
