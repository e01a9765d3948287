"""Published tokenizations: every case of the shared collection, gathered from the tests of BERT's other owners."""

import functools
import json

import pytest

from keras_bert.text.preprocessor import BertPreprocessor
from keras_bert.text.tokenizer import BertTokenizer

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


@pytest.fixture(scope="module")
def cases(shared_data):
    return json.loads((shared_data / "golden_tokenization" / "tokenization_cases.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def real_tokenizer(shared_data):
    @functools.cache
    def build(name, **settings):
        return BertTokenizer(shared_data / "bert_vocab" / f"{name}-vocab.txt", **settings)

    return build


def tokens_of(tokenizer, ids):
    return [tokenizer.vocabulary.tokens[i] for i in ids]


def test_words_are_cut_where_they_should(cases):
    for case in cases["basic_tokenizer"]:
        assert case["tokenize_chinese_chars"]
        # A vocabulary of the expected words shows where the text was cut.
        words = dict.fromkeys(["a", *(word for word in case["expected"] if word not in SPECIAL)])
        tokenizer = BertTokenizer(
            [*SPECIAL, *words],
            lowercase=case["do_lower_case"],
            strip_accents=case["strip_accents"],
            never_split=case["never_split"],
        )
        assert tokens_of(tokenizer, tokenizer(case["text"]).numpy()) == case["expected"], case
    assert len(cases["basic_tokenizer"]) == 23


def test_words_are_cut_into_the_expected_pieces(cases):
    for case in cases["wordpiece"] + cases["full_toy_vocab"]:
        vocabulary = case["vocab"] + [token for token in SPECIAL if token not in case["vocab"]]
        tokenizer = BertTokenizer(vocabulary, lowercase=case.get("do_lower_case", False))
        ids = tokenizer(case.get("text", case.get("word"))).numpy().tolist()
        assert tokens_of(tokenizer, ids) == case.get("tokens", case.get("expected")), case
        assert ids == case.get("ids", ids), case
    assert len(cases["wordpiece"] + cases["full_toy_vocab"]) == 17


def test_real_vocabularies_give_the_published_ids_and_offsets(cases, real_tokenizer):
    checked = 0
    for case in cases["full_real_vocab"]:
        if not case.get("tokenize_chinese_chars", True):
            continue  # the one option of Hugging Face's that the original does not have
        in_text = bool(case.get("special_tokens_in_text"))
        tokenizer = real_tokenizer(
            case["vocab"], lowercase=case["do_lower_case"], special_tokens_in_text=in_text
        )
        ids, starts, ends = (x.numpy().tolist() for x in tokenizer.tokenize_with_offsets(case["text"]))
        offsets = [list(pair) for pair in zip(starts, ends, strict=True)]
        if case["add_special_tokens"]:
            ids = BertPreprocessor(tokenizer)(case["text"])["token_ids"][0].numpy().tolist()
            offsets = [[0, 0], *offsets, [0, 0]]
        assert tokens_of(tokenizer, ids) == case["tokens"], case
        assert ids == case["ids_from_staged_vocab"] == case.get("ids", ids), case
        assert offsets == case.get("offsets", offsets), case
        checked += 1
    assert checked == 6


def test_special_tokens_stand_where_the_original_puts_them(cases, real_tokenizer):
    layout = cases["special_tokens"]
    tokenizer = real_tokenizer(layout["vocab"])
    a, b = (tokenizer(text).numpy().tolist() for text in layout["texts"])
    cls_id, sep_id = layout["cls_id"], layout["sep_id"]
    preprocessor = BertPreprocessor(tokenizer)
    single = preprocessor([layout["texts"][0]])
    assert single["token_ids"].numpy().tolist() == [[cls_id, *a, sep_id]]
    pair = preprocessor([tuple(layout["texts"])])
    assert pair["token_ids"].numpy().tolist() == [[cls_id, *a, sep_id, *b, sep_id]]
    assert pair["segment_ids"].numpy().tolist() == [[0] * (len(a) + 2) + [1] * (len(b) + 1)]


def test_classes_of_characters_are_the_originals(cases):
    tokenizer = BertTokenizer([*SPECIAL, "x", "##x"])

    def words(character):
        return len(tokenizer(f"x{character}x"))

    # A space separates two words, a sign is a third, a control character vanishes, any other joins them.
    for character in cases["char_classes"]["is_whitespace"]["true"]:
        assert words(character) == 2, hex(ord(character))
        assert tokenizer(character).shape == (0,)
    for character in cases["char_classes"]["is_punctuation"]["true"]:
        assert words(character) == 3, hex(ord(character))
    for character in cases["char_classes"]["is_control"]["true"]:
        assert tokenizer(f"x{character}x").numpy().tolist() == [5, 6], hex(ord(character))
