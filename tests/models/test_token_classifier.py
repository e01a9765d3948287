"""BertTokenClassifier against transformers, against a plain reading of its windows, and against itself saved."""

import json
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_bert
from keras_bert.metrics import EntityScores, entity_scores, tag_entities
from tests.taggers import TAGS, TEXTS, VOCABULARY, WORDS, make_tagger

NAMES = {"token_ids": "input_ids", "segment_ids": "token_type_ids", "padding_mask": "attention_mask"}


def assert_same_logits(tagger, model):
    torch = pytest.importorskip("torch")
    inputs = {name: part.numpy() for name, part in tagger.preprocessor(TEXTS).items()}
    with torch.no_grad():
        theirs = model.eval()(**{NAMES[name]: torch.tensor(part) for name, part in inputs.items()}).logits.numpy()
    real = inputs["padding_mask"] > 0
    assert not real.all()
    np.testing.assert_allclose(keras.ops.convert_to_numpy(tagger(inputs))[real], theirs[real], atol=1e-5)


def test_transformers_loads_what_is_saved(tmp_path):
    transformers = pytest.importorskip("transformers")
    tagger = make_tagger()
    tagger.save_to_preset(tmp_path)
    model, report = transformers.BertForTokenClassification.from_pretrained(tmp_path, output_loading_info=True)
    assert not any(report[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    assert model.config.id2label == dict(enumerate(TAGS))
    assert_same_logits(tagger, model)


def test_what_transformers_saves_is_loaded(tmp_path, caplog):
    transformers = pytest.importorskip("transformers")
    sizes = {"hidden_size": 12, "num_hidden_layers": 2, "num_attention_heads": 3, "intermediate_size": 20}
    config = transformers.BertConfig(
        vocab_size=len(VOCABULARY),
        max_position_embeddings=18,
        initializer_range=0.4,
        id2label=dict(enumerate(TAGS)),
        **sizes,
    )
    model = transformers.BertForTokenClassification(config)
    model.save_pretrained(tmp_path)
    (tmp_path / "vocab.txt").write_text("\n".join(VOCABULARY), encoding="utf-8")
    with caplog.at_level("WARNING", "keras_bert"):
        tagger = keras_bert.BertTokenClassifier.from_preset(tmp_path)
    assert caplog.messages == [] and tagger.labels == tuple(TAGS)
    assert_same_logits(tagger, model)


def spread_out(tagger):
    """Takes the mean of what it says to single words off, so that every tag is the best of some."""
    words = [[word] for word in VOCABULARY[5:]]
    logits = np.array([expected_logits(tagger, word)[0] for word in words])
    kernel, bias = tagger.logits_layer.get_weights()
    tagger.logits_layer.set_weights([kernel, bias - logits.mean(axis=0)])


def expected_logits(tagger, words):
    """The logits at the first token of each word, window by window; None for words without a token."""
    tokenizer, room = tagger.preprocessor.tokenizer, tagger.preprocessor.sequence_length - 2
    pieces = [tokenizer(word).numpy().tolist() for word in words]
    ids = [i for word in pieces for i in word]
    firsts = np.cumsum([0, *map(len, pieces)])[:-1]
    parts, begin = [], 0
    while not parts or parts[-1][-1:] != [len(ids) - 1] and ids:
        parts.append(list(range(begin, min(begin + room, len(ids)))))
        begin += tagger.doc_stride or tagger.preprocessor.sequence_length // 2
    logits = []
    for part in parts:
        row = np.array([[2, *(ids[i] for i in part), 3]])
        inputs = {"token_ids": row, "segment_ids": 0 * row, "padding_mask": 0 * row + 1}
        logits.append(keras.ops.convert_to_numpy(tagger(inputs))[0])
    found = []
    for first, word in zip(firsts, pieces, strict=True):
        sees = [min(first - p[0], p[-1] - first) + 0.01 * len(p) if first in p else -1 for p in parts]
        best = int(np.argmax(sees))
        found.append(logits[best][1 + parts[best].index(first)] if word else None)
    return found


def test_words_get_the_tags_of_their_best_windows():
    labels = ["p", "q", "r", "s", "t"]
    tagger = make_tagger(labels=labels, scheme=None, doc_stride=5)
    spread_out(tagger)
    found = tagger.predict_tags(WORDS, verbose=0)
    for words, tags in zip(WORDS, found, strict=True):
        expected = [0 if logits is None else int(np.argmax(logits)) for logits in expected_logits(tagger, words)]
        assert tags == [labels[tag] for tag in expected]
    assert len({tag for tags in found for tag in tags}) > 2


@pytest.mark.parametrize("texts", [TEXTS, WORDS])
def test_entities_are_valid_and_stand_where_they_say(texts):
    tagger = make_tagger()
    spread_out(tagger)
    records, tags = tagger.predict(texts, verbose=0), tagger.predict_tags(texts, verbose=0)
    count = 0
    for text, entities, sequence in zip(texts, records, tags, strict=True):
        assert [entity["label"] for entity in entities] == [label for label, _, _ in tag_entities(sequence)]
        for entity in entities:
            content = text[entity["start"] : entity["end"]]
            assert entity["entity"] == (content if isinstance(text, str) else " ".join(content)) != ""
            assert 0 < entity["score"] <= 1
        held = [word for _, start, end in tag_entities(sequence) for word in range(start, end)]
        assert held == [word for word, tag in enumerate(sequence) if tag != "O"]
        count += len(entities)
    assert count > 1


ASK = """
import json, sys
import tensorflow as tf
import tensorflow_text
signature = tf.saved_model.load(sys.argv[1]).signatures["serving_default"]
for inputs in json.loads(sys.argv[2]):
    answers = signature(**{name: tf.constant(texts, tf.string) for name, texts in inputs.items()})
    plain = lambda x: [plain(y) for y in x] if isinstance(x, list) else x.decode() if isinstance(x, bytes) else x
    print(json.dumps({name: plain(value.numpy().tolist()) for name, value in answers.items()}))
"""


def test_the_export_of_texts_beside_others_gives_the_same_entities(tmp_path):
    tagger = make_tagger(num_layers=1, pairs=True)
    tagger.export(tmp_path / "1")
    others = ["a b"] * len(TEXTS)
    signature = tf.saved_model.load(str(tmp_path / "1")).signatures["serving_default"]
    found = signature(text=tf.constant(TEXTS), text_pair=tf.constant(others))
    records = tagger.predict((TEXTS, others), verbose=0)
    assert found["num_entities"].numpy().tolist() == [len(entities) for entities in records]
    alone = make_tagger(num_layers=1).predict(TEXTS, verbose=0)
    assert [[entity["score"] for entity in row] for row in records] != [[e["score"] for e in row] for row in alone]


def test_the_export_gives_the_same_entities_in_a_fresh_process(tmp_path):
    tagger = make_tagger(num_layers=1)
    tagger.export(tmp_path / "1")
    groups = [TEXTS, TEXTS[:1], []]
    command = [sys.executable, "-c", ASK, str(tmp_path / "1"), json.dumps([{"text": texts} for texts in groups])]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[-3000:]
    for texts, line in zip(groups, result.stdout.splitlines(), strict=True):
        found = json.loads(line)
        records = tagger.predict(texts, verbose=0) if texts else []
        assert found["num_entities"] == [len(entities) for entities in records]
        for row, entities in enumerate(records):
            for name in ("entity", "entity_label", "entity_start", "entity_end"):
                key = name.removeprefix("entity_")
                assert found[name][row][: len(entities)] == [entity[key] for entity in entities]
            scores = [entity["score"] for entity in entities]
            np.testing.assert_allclose(found["entity_score"][row][: len(entities)], scores, atol=1e-5)


def test_it_learns_from_words_and_from_texts_and_is_saved_and_loaded(tmp_path):
    rng = np.random.default_rng(3)
    parts = [rng.choice(["a", "a b", *"cdefgh"], size=rng.integers(2, 15)) for _ in range(96)]
    words = [" ".join(part).split() for part in parts]
    tags = [[{"a": "B-x", "b": "I-x", "c": "B-größe"}.get(word, "O") for word in row] for row in words]
    texts = [" ".join(row) for row in words]
    spans = [[(label, 2 * start, 2 * end - 1) for label, start, end in tag_entities(row)] for row in tags]
    tagger = make_tagger(num_layers=1)
    tagger.compile(learning_rate=2e-2)
    scores = EntityScores(words, tags)
    options = {"epochs": 5, "batch_size": 8, "verbose": 0, "validation_split": 0.25, "callbacks": [scores]}
    history = tagger.fit(words, tags, **options).history
    assert history["val_accuracy"][-1] > 0.95
    assert history["val_f1"][-1] == entity_scores(tags, tagger.predict_tags(words, verbose=0))["f1"] > 0.9
    by_words = tagger.evaluate(words, tags, verbose=0, return_dict=True)
    assert tagger.evaluate(texts, spans, verbose=0, return_dict=True) == by_words
    as_dicts = [[dict(zip(("label", "start", "end"), span, strict=True)) for span in row] for row in spans]
    assert tagger.evaluate(texts, as_dicts, verbose=0, return_dict=True) == by_words
    assert tagger.evaluate(texts, tags, verbose=0, return_dict=True) == by_words
    records = tagger.predict(texts, verbose=0)
    tagger.save_to_preset(tmp_path / "preset")
    tagger.save(tmp_path / "tagger.keras")
    for again in (
        keras_bert.BertTokenClassifier.from_preset(tmp_path / "preset"),
        keras.models.load_model(tmp_path / "tagger.keras"),
    ):
        assert again.head_config() == tagger.head_config()
        assert again.predict(texts, verbose=0) == records


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"labels": ["O", "B-x", "B-x"]}, "at least two different tags"),
        ({"labels": ["O"]}, "at least two different tags"),
        ({"labels": ["O", "E-x"]}, "'bio' must be O or one of B-LABEL, I-LABEL. Received: 'E-x'"),
        ({"labels": ["B-x", "I-x"]}, "must hold 'O'"),
        ({"scheme": "iob1"}, "one of bio, bioes, bmes. Received: 'iob1'"),
        ({"labels": ["O", "B-\ud800"]}, "must be text that UTF-8 can encode"),
        ({"labels": ["O", 1]}, "all str. Received: .'O', 1"),
        ({"doc_stride": 0}, "`doc_stride` must be a whole number"),
    ],
)
def test_settings_that_do_not_fit_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        make_tagger(**arguments)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        ([["a", "b"]], [["O"]], "Received: 1 for 2 in row 0"),
        ([["a"], ["b"]], [["O"], ["B-z"]], "Received: 'B-z' in row 1"),
        ([["a"]], None, "labels for each text. Received: None for 1"),
        ([["a", 3]], [["O", "O"]], "Words must be a list of strings .* in row 0"),
        (["a b c"], [[("x", 0, 3), ("größe", 2, 5)]], r"must not overlap.*\('größe', 2, 5\) in row 0, where I-x"),
        (["a b c"], [[("x", 1, 2)]], r"must hold a word. Received: \('x', 1, 2\) in row 0"),
        (["a b c"], [[("z", 0, 1)]], "Received: 'B-z' in row 0"),
        ((["a b"], ["c", "d"]), [[]], "as many second segments. Received: 2 for 1"),
        ([], [], "There must be at least one text"),
        ([["a"]], 5, "labels for each text. Received: 5 for 1"),
        ([["a"], "bc"], [["O"], ["O", "O"]], "Words must be a list of strings .* Received: 'bc' in row 1"),
        ([["a"], ["b"]], [["O"], [None]], "Received: None in row 1"),
        ([["a"], ["b"]], [["O"], None], "must be a list. Received: None in row 1"),
        (["a", "bcd"], [[], [("x", 1, 1)]], r"must be in its text. Received: \('x', 1, 1\) in row 1, which has 3"),
        (["a", "bcd"], [[], [("x", 2, 1)]], r"must be in its text. Received: \('x', 2, 1\)"),
        (["a", "bcd"], [[], [{"label": "x", "start": -3, "end": 1}]], "must be in its text. Received: {'label'"),
        (["a", "bcd"], [[], [("x", 0, 4)]], "which has 3 characters"),
        (["a", "bcd"], [[], [("x", 0.5, 2.2)]], r"must be \(label, start, end\).* Received: \('x', 0.5, 2.2\)"),
        (["a", "bcd"], [[], [{"label": "x"}]], "must be .label, start, end.* Received: {'label': 'x'} in row 1"),
    ],
)
def test_labels_that_do_not_fit_are_refused(x, y, message):
    with pytest.raises(ValueError, match=message):
        make_tagger(num_layers=1).fit(x, y)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sample_weight": [1.0]}, "`sample_weight` must have a row for each text. Received: 1 for 2"),
        ({"sample_weight": [None, 1]}, "`sample_weight` must be finite. Received: None in row 0"),
        ({"sample_weight": [[1, 1], [1, 1]]}, r"must have a number for each example. Received: shape \(2, 2\)"),
        ({"class_weight": {"O": None}}, "must hold finite numbers. Received: None for 'O'"),
        ({"class_weight": [1, 2, 3]}, "`class_weight` must be a dict"),
        ({"batch_size": 0}, "`batch_size` must be a whole number of at least 1. Received: 0"),
        ({"epochs": 0}, "`epochs` must be above `initial_epoch`. Received: 0 and 0"),
        ({"validation_data": ()}, "`validation_data` must be .x, y.. Received: a tuple of 0"),
    ],
)
def test_settings_of_a_training_that_do_not_fit_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        make_tagger(num_layers=1).fit([["a"], ["b"]], [["O"], ["O"]], **settings)


def test_ready_tags_that_there_are_not_are_refused():
    tagger = make_tagger(num_layers=1)
    inputs = {name: np.ones((2, 3), int) for name in tagger.input}
    for tags in (np.full((2, 3), -100), np.full((2, 3), len(TAGS)), np.full((2, 3), 0.5)):
        with pytest.raises(ValueError, match="must be numbers from 0 to 4. Received: "):
            tagger.fit(inputs, tags)
    tagger.fit(inputs, np.zeros((2, 3), int), sample_weight=np.ones((2, 3)), verbose=0)


def test_a_model_without_words_or_tags_says_what_it_needs(tmp_path):
    with pytest.raises(ValueError, match="takes dicts of encoder inputs"):
        make_tagger(texts=False, num_layers=1).predict(["a"])
    with pytest.raises(ValueError, match="takes dicts of encoder inputs"):
        make_tagger(texts=False, num_layers=1).fit(["a"], [["O"]])
    make_tagger(num_layers=1).encoder.save_to_preset(tmp_path)
    with pytest.raises(ValueError, match="needs to know the tags"):
        keras_bert.BertTokenClassifier.from_preset(tmp_path)
