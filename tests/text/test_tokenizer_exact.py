"""Token ids against the original algorithm: `FullTokenizer` of tf-models-official, word cap as Google's 200."""

import functools
import json
import lzma
import random
import sys
import tarfile
import unicodedata
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_text as tf_text

from keras_bert.text.tokenizer import BertTokenizer

tokenization = pytest.importorskip("official.nlp.tools.tokenization", reason="needs the extra [garden]")
SHARED = Path(__file__).parents[2].parent / "shared" / "data"
pytestmark = pytest.mark.skipif(not SHARED.exists(), reason="needs ../shared/data")
VOCABULARIES = {"uncased": True, "cased": False, "multilingual-cased": False, "chinese": True}


@functools.cache
def tokenizers(name):
    path = SHARED / "bert_vocab" / f"bert-base-{name}-vocab.txt"
    lowercase = VOCABULARIES[name]
    original = tokenization.FullTokenizer(str(path), do_lower_case=lowercase)
    original.wordpiece_tokenizer.max_input_chars_per_word = 200
    # A pure function of the word: remembering it changes nothing but the time.
    cut = functools.lru_cache(2**20)(lambda word: tuple(original.wordpiece_tokenizer.tokenize(word)))
    ids = original.vocab

    def original_ids(text):
        return [ids[piece] for word in original.basic_tokenizer.tokenize(text) for piece in cut(word)]

    return BertTokenizer(path, lowercase=lowercase), original_ids


def mismatches(name, texts):
    ours, original_ids = tokenizers(name)
    wrong = []
    for start in range(0, len(texts), 4096):
        batch = texts[start : start + 4096]
        for text, ids in zip(batch, ours([t.encode() for t in batch]).to_list(), strict=True):
            if ids != original_ids(text):
                wrong.append(text)
    return wrong


@functools.cache
def differing_code_points():
    """Code points whose category, lower case or decomposition differ between Python's tables and TF-Text's."""
    characters = np.array([chr(p) for p in range(sys.maxunicode + 1) if not 0xD800 <= p <= 0xDFFF], object)
    categories = np.array([unicodedata.category(c) for c in characters])
    deleted = np.isin(categories, ("Cc", "Cf"))
    tensor = tf.constant(np.array([c.encode() for c in characters], object))
    decomposed = np.array([unicodedata.normalize("NFD", c).encode() for c in characters], object)
    lowered = np.array([c.lower().encode() for c in characters], object)
    differs = ~deleted & (decomposed != tf_text.normalize_utf8(tensor, "NFD").numpy())
    differs |= ~deleted & (lowered != tf.strings.lower(tensor, encoding="utf-8").numpy())
    for category in ("P", "Z", "Mn", "Cf", "Cc"):
        matches = tf.strings.regex_full_match(tensor, rf"\p{{{category}}}").numpy()
        differs |= matches != np.char.startswith(categories, category)
    # FastWordpiece splits at ICU's punctuation: a word of x, the character and x falls apart exactly there.
    probe = tf_text.FastWordpieceTokenizer(["[UNK]", "x", "##x"], token_out_type=tf.string, no_pretokenization=False)
    splits = probe.tokenize(tf.strings.join(["x", tensor, "x"])).row_lengths().numpy() == 3
    is_chinese = tokenization.BasicTokenizer()._is_chinese_char
    should = np.array([tokenization._is_punctuation(c) or is_chinese(ord(c)) for c in characters])
    seen = ~deleted & ~np.isin(categories, ("Zs", "Zl", "Zp")) & (characters != "x")  # "x" is the frame itself
    return frozenset(characters[differs | (seen & (splits != should))])


def random_texts(count, seed):
    rng = random.Random(seed)
    left_out = differing_code_points()
    pools = [
        lambda: chr(rng.randrange(32, 127)),
        lambda: chr(rng.randrange(0, 0x250)),
        lambda: chr(rng.randrange(0x250, 0x3000)),
        lambda: chr(rng.choice((0x300, 0x301, 0x327, 0x5B0, 0x93E, 0x1AB0, 0x20D0, 0xFE20, 0x302E))),
        lambda: chr(rng.randrange(0x3000, 0xA000)),
        lambda: chr(rng.randrange(0xAC00, 0xD7A4)),
        lambda: chr(rng.randrange(0xE000, 0x10000)),
        lambda: chr(rng.randrange(0x10000, 0x11000)),
        lambda: chr(rng.randrange(0x1F300, 0x1FB00)),
        lambda: chr(rng.randrange(0x20000, 0x30000)),
        lambda: chr(rng.randrange(0x10000, 0x110000)),
        lambda: chr(rng.choice((0, 9, 10, 13, 0x85, 0xA0, 0xAD, 0x200B, 0x200D, 0x2028, 0x2029, 0xFEFF, 0xFFFD, 0x7F))),
        lambda: rng.choice(("Σ", "ς", "İ", "ß", "ǅ", "ﬁ", "①", "Ａ", "ö", "É", "한", "가", "が", "中", "x")),
        lambda: rng.choice(("the", "ing", "A", "un", " ", " ", ".", "[MASK]", "[SEP]", "##a")),
    ]
    texts = []
    while len(texts) < count:
        kind = rng.random()
        if kind < 0.04:
            unit = rng.choice(pools)()
            text = unit * (rng.randrange(90, 211) // len(unit)) + rng.choice(("", " end", "."))
        else:
            chosen = rng.sample(pools, rng.randrange(1, 5))
            text = "".join(rng.choice(chosen)() for _ in range(rng.randrange(0, 40)))
        if kind > 0.95:  # invalid UTF-8, replaced
            data = bytearray(text.encode())
            for _ in range(3):
                data.insert(rng.randrange(len(data) + 1), rng.randrange(128, 256))
            text = data.decode("utf-8", "replace")
        text = "".join(c for c in text if c not in left_out and not 0xD800 <= ord(c) <= 0xDFFF)
        texts.append(text)
    return texts


@functools.cache
def sampled_texts():
    return list(shared_texts(limit=100))


def shared_texts(limit=None):
    """Every text of the data folder, by file."""
    for path in sorted(SHARED.rglob("*")):
        if path.suffix in (".md", ".html", ".LICENSE") or path.parent.name in ("bert_vocab", "golden_numeric"):
            continue
        if path.name.endswith(".tar.xz"):
            with tarfile.open(path) as archive:
                text = "\n".join(
                    archive.extractfile(m).read().decode("utf-8") for m in archive.getmembers() if m.isfile()
                )
        elif path.suffix == ".xz":
            text = lzma.decompress(path.read_bytes()).decode("utf-8")
        elif path.is_file():
            text = path.read_bytes().decode("utf-8", "replace")
        else:
            continue
        if ".json" in path.name:
            text = "\n".join(_strings(json.loads(text)))
        lines = [line for line in text.split("\n") if line]
        yield path.name, lines[:: max(1, len(lines) // limit)] if limit else lines


def _strings(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)


def test_few_code_points_are_left_out():
    assert len(differing_code_points()) < 150


@pytest.mark.parametrize("name", VOCABULARIES)
def test_random_strings_get_the_original_ids(name):
    assert mismatches(name, random_texts(5_000, seed=1)) == []


def test_a_vocabulary_with_repeats_gives_the_original_ids(tmp_path):
    path = tmp_path / "vocab.txt"
    path.write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\na\n##b\na\nb\n##b\n##b\nab\nab\n", newline="\r\n")
    original, ours = tokenization.FullTokenizer(str(path)), BertTokenizer(path)
    for text in ("a b", "ab abb aba", "A bbb", "ba"):
        assert ours(text).numpy().tolist() == original.convert_tokens_to_ids(original.tokenize(text))
    assert len(ours.vocabulary) == 12


@pytest.mark.slow
@pytest.mark.parametrize("name", VOCABULARIES)
def test_200_000_random_strings_get_the_original_ids(name):
    assert mismatches(name, random_texts(200_000, seed=2)) == []


@pytest.mark.parametrize("name", VOCABULARIES)
def test_samples_of_real_text_get_the_original_ids(name):
    for file, lines in sampled_texts():
        assert mismatches(name, lines) == [], file


@pytest.mark.slow
@pytest.mark.parametrize("name", VOCABULARIES)
def test_every_line_of_real_text_gets_the_original_ids(name):
    count = 0
    for file, lines in shared_texts():
        assert mismatches(name, lines) == [], file
        count += len(lines)
    assert count > 100_000
