"""What tokens add to a score: against gradients taken through transformers, and laid back onto the user's texts."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_bert
from tests.classifiers import TEXTS, VOCABULARY, make_classifier, with_large_weights
from tests.labelers import CONTEXTS, QUESTIONS, make_labeler
from tests.questions import OTHERS

ODD = ["", " ", "\u4e2d\u6587 Film", "FINE\0 bore", "a film " * 1000, "é" * 300, "[SEP] a", b"a \xff film"]
NAMES = {"token_ids": "input_ids", "segment_ids": "token_type_ids", "padding_mask": "attention_mask"}


@pytest.fixture(scope="module")
def transformers():
    pytest.importorskip("torch", reason="needs torch, of the extra [oracles]")
    return pytest.importorskip("transformers", reason="needs transformers, of the extra [oracles]")


def in_torch(model, record, baseline_id, score_of):
    """Integrated gradients as the paper has them, and the scores of baseline and text."""
    import torch

    inputs = {NAMES[name]: torch.tensor(part).long() for name, part in record.inputs.items()}
    ids = inputs.pop("input_ids")
    is_text = torch.tensor([not token.startswith("[") or token == "[UNK]" for token in record.tokens])
    table = model.get_input_embeddings()
    with torch.no_grad():
        end = table(ids)
        begin = torch.where(is_text[None, :, None], table(torch.full_like(ids, baseline_id)), end)
        ends = [float(score_of(model(inputs_embeds=way, **inputs))) for way in (begin, end)]
    nodes, weights = (torch.tensor(part).float() for part in np.polynomial.legendre.leggauss(record.steps))
    way = (begin + (nodes[:, None, None] + 1) / 2 * (end - begin)).requires_grad_(True)
    inputs = {name: part.expand(record.steps, -1) for name, part in inputs.items()}
    score_of(model(inputs_embeds=way, **inputs)).sum().backward()
    values = (weights[:, None, None] / 2 * way.grad * (end - begin)).sum((0, 2))
    return values.numpy(), ends


def assert_complete(record):
    difference = record.score - record.baseline_score
    assert record.is_complete
    assert abs(record.total - difference) <= 0.01 * abs(difference)
    assert record.gap == pytest.approx(record.values.sum() - difference)


# ---- Against transformers


@pytest.mark.parametrize(("scale", "atol", "pairs"), [(0.1, 1e-6, False), (0.4, 1e-4, True)])
def test_those_of_a_classifier_equal_transformers(tmp_path, transformers, scale, atol, pairs):
    classifier = with_large_weights(make_classifier(("a", "b", "c"), num_layers=2), scale)
    classifier.save_to_preset(tmp_path)
    model = transformers.BertForSequenceClassification.from_pretrained(tmp_path).eval()
    texts = (TEXTS, OTHERS) if pairs else TEXTS
    assert (classifier.preprocessor(texts)["padding_mask"].numpy() == 0).any()
    logits = keras.ops.convert_to_numpy(classifier(classifier.preprocessor(texts)))
    for record, row in zip(classifier.attributions(texts), logits, strict=True):
        label = classifier.labels.index(record.target)
        assert label == row.argmax()
        values, ends = in_torch(model, record, VOCABULARY.index("[MASK]"), lambda out, i=label: out.logits[:, i])
        np.testing.assert_allclose(record.values, values, atol=atol)
        np.testing.assert_allclose([record.baseline_score, record.score], ends, atol=atol)
        assert record.score == pytest.approx(row[label], abs=atol)
        assert_complete(record)
        assert np.abs(record.values).max() > 100 * atol


@pytest.mark.parametrize("threshold", [None, 0.0])
def test_those_of_a_span_labeler_equal_transformers(tmp_path, transformers, threshold):
    labeler = make_labeler(no_answer_threshold=threshold)
    labeler.save_to_preset(tmp_path)
    model = transformers.BertForQuestionAnswering.from_pretrained(tmp_path).eval()
    mask_id = labeler.preprocessor.tokenizer.vocabulary.mask_id
    with pytest.warns(UserWarning, match="1 of 7 questions"):
        answers = labeler.predict((QUESTIONS, CONTEXTS), verbose=0)
    with pytest.warns(UserWarning, match="1 of 7 questions"):
        explained = labeler.attributions((QUESTIONS, CONTEXTS))
    assert sum(not answer["answer"] for answer in answers) == (1 if threshold is None else 2)
    assert [begin.is_cut for begin, _ in explained] == [False, False, False, True, True, True, False]
    for answer, (begin, end) in zip(answers, explained, strict=True):
        assert (begin.target, end.target) == ("start", "end")
        for record, offset, place in ((begin, "starts", answer["start"]), (end, "ends", answer["end"])):
            at = 0
            if answer["answer"]:
                at = int(np.flatnonzero((record.segments == 1) & (getattr(record, offset) == place))[0])
            logits = f"{record.target}_logits"
            values, ends = in_torch(model, record, mask_id, lambda out, i=at, name=logits: out[name][:, i])
            np.testing.assert_allclose(record.values, values, atol=1e-4)
            np.testing.assert_allclose([record.baseline_score, record.score], ends, atol=1e-4)
            assert_complete(record)


# ---- In a batch, and by other ways


def test_a_text_is_explained_alone_as_among_others():
    classifier = make_classifier()
    for record, text in zip(classifier.attributions(TEXTS), TEXTS, strict=True):
        (alone,) = classifier.attributions([text])
        assert alone.tokens == record.tokens
        np.testing.assert_allclose(alone.values, record.values, atol=1e-5)


def test_padding_that_is_computed_changes_nothing():
    classifier = make_classifier()
    expected = classifier.attributions(TEXTS)
    classifier.encoder.layout_layer.unpadding = False
    for record, other in zip(classifier.attributions(TEXTS), expected, strict=True):
        np.testing.assert_allclose(record.values, other.values, atol=1e-5)


def test_datasets_and_no_texts():
    classifier = make_classifier()
    dataset = tf.data.Dataset.from_tensor_slices((TEXTS, [0] * len(TEXTS))).batch(3)
    expected = classifier.attributions(TEXTS)
    for record, other in zip(classifier.attributions(dataset), expected, strict=True):
        np.testing.assert_allclose(record.values, other.values, atol=1e-6)
    assert classifier.attributions([]) == [] == make_labeler().attributions(([], []))


# ---- What is explained


@pytest.mark.parametrize("task", ["single_label", "multi_label"])
def test_a_label_can_be_chosen(task):
    classifier = make_classifier(("x", "y", "z"), task)
    logits = keras.ops.convert_to_numpy(classifier(classifier.preprocessor(TEXTS)))
    for number, label in enumerate(classifier.labels):
        records = classifier.attributions(TEXTS, label=label)
        np.testing.assert_allclose([record.score for record in records], logits[:, number], atol=1e-5)
        assert {record.target for record in records} == {label}
    best = [record.target for record in classifier.attributions(TEXTS)]
    assert best == [classifier.labels[place] for place in logits.argmax(axis=1)]


def test_a_regression_has_its_value():
    classifier = make_classifier(None, "regression")
    records = classifier.attributions(TEXTS)
    np.testing.assert_allclose([record.score for record in records], classifier.predict(TEXTS)[:, 0], atol=1e-5)
    assert {record.target for record in records} == {"value"}


def test_the_baseline_is_a_row_of_masks():
    classifier = make_classifier()
    for record in classifier.attributions(TEXTS, "positive"):
        ids = np.array([[2, *[4] * (len(record.tokens) - 2), 3]])
        assert record.baseline_score == pytest.approx(
            float(classifier({"token_ids": ids, "segment_ids": 0 * ids, "padding_mask": 0 * ids + 1})[0, 1]), abs=1e-5
        )
        assert record.values[[0, -1]].tolist() == [0, 0]


def test_without_a_mask_in_the_vocabulary_the_baseline_is_unknown():
    tokens = [token if token != "[MASK]" else "[unused]" for token in VOCABULARY]
    preprocessor = keras_bert.BertPreprocessor(keras_bert.BertTokenizer(tokens), sequence_length=14)
    classifier = keras_bert.BertClassifier(make_classifier().encoder, preprocessor, num_classes=2)
    record, unknown = classifier.attributions(["a fine film", "x y z"])
    assert np.abs(record.values[1:-1]).min() > 0
    assert unknown.values.tolist() == [0] * 5 and unknown.is_complete


# ---- On the user's own text


def test_tokens_stand_where_they_stand_in_the_text():
    text = "  The FILMS\u3000isn't gööd\u4e2d\u6587, a\u200dday\ue000!"
    (record,) = make_classifier().attributions([text])
    pieces = [text[start:end] for start, end in zip(record.starts, record.ends, strict=True)]
    assert pieces[:3] == ["", "The", "FILM"] and pieces[-1] == ""
    assert record.tokens[:4] == ("[CLS]", "the", "film", "##s")
    assert record.segments.tolist() == [-1, *[0] * 12, -1] and not record.is_cut
    (record,) = make_classifier().attributions([text[:-8]])
    words = record.words()
    assert [word["word"] for word in words] == ["The", "FILMS", "isn't", "gööd", "\u4e2d", "\u6587", ","]
    assert [text[word["start"] : word["end"]] for word in words] == [word["word"] for word in words]
    assert sum(word["value"] for word in words) == pytest.approx(record.total)
    assert words[1]["value"] == pytest.approx(record.values[2] + record.values[3])


def test_signs_that_are_in_no_word_have_their_value_too():
    (record,) = make_classifier().attributions(["a\u200dday of \ue000 \U000f0000"])
    assert [word["word"] for word in record.words()] == ["a\u200dday", "of", "\ue000", "\U000f0000"]
    assert sum(word["value"] for word in record.words()) == pytest.approx(record.total)


def test_of_a_pair_each_text_has_its_words():
    (record,) = make_classifier().attributions((["a good film"], ["Bad Story!"]))
    assert record.texts == ("a good film", "Bad Story!")
    assert record.segments.tolist() == [-1, 0, 0, 0, -1, 1, 1, 1, -1]
    words = [(word["segment"], word["word"]) for word in record.words()]
    assert words == [(0, "a"), (0, "good"), (0, "film"), (1, "Bad"), (1, "Story"), (1, "!")]


def test_odd_texts():
    records = make_classifier().attributions(ODD)
    assert [len(record.tokens) for record in records[:2]] == [2, 2]
    for record in records:
        assert_complete(record)
        assert sum(word["value"] for word in record.words()) == pytest.approx(record.total, abs=1e-9)
    assert [record.is_cut for record in records] == [False, False, False, False, True, False, False, False]
    assert len(records[4].tokens) == 14
    assert records[7].texts == ("a  film",)
    assert [word["word"] for word in records[2].words()] == ["\u4e2d", "\u6587", "Film"]


def test_a_long_context_is_explained_where_the_answer_stands():
    labeler = make_labeler()
    context = "a b c d e f g h " * 6 + "\u4e2d\u56fd . " + "e " * 30
    (answer,) = labeler.predict((["c"], [context]), verbose=0)
    ((begin, end),) = labeler.attributions((["c"], [context]))
    assert begin.is_cut and begin.inputs["token_ids"].shape == (1, 17)
    in_context = begin.segments == 1
    assert answer["start"] in begin.starts[in_context] and answer["end"] in end.ends[in_context]
    for token, start, stop in zip(begin.tokens, begin.starts, begin.ends, strict=True):
        assert token.startswith("[") or context[start:stop] == token or begin.texts[0] == token


# ---- What is refused


def test_what_cannot_be_explained_is_refused():
    classifier = make_classifier()
    with pytest.raises(ValueError, match="`label` must be one of negative, positive. Received: 'fine'. Use one, or"):
        classifier.attributions(TEXTS, label="fine")
    with pytest.raises(ValueError, match="`label` must be one of value. Received: 'positive'"):
        make_classifier(None, "regression").attributions(TEXTS, label="positive")
    ready = classifier.preprocessor(TEXTS)
    for x in (ready, tf.data.Dataset.from_tensor_slices(ready)):
        for model in (classifier, make_labeler()):
            with pytest.raises(ValueError, match="those of texts. Received: a dict of encoder inputs. Pass the texts"):
                model.attributions(x)
    for model in (make_classifier(texts=False), make_labeler(texts=False)):
        with pytest.raises(ValueError, match="A model without a preprocessor takes dicts"):
            model.attributions((TEXTS, TEXTS))
    with pytest.raises(ValueError, match="Inputs must be pairs"):
        make_labeler().attributions(TEXTS)
