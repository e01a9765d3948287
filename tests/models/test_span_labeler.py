"""BertSpanLabeler against transformers, against a search of every span in plain Python, and against itself saved."""

import json
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_bert
from tests.labelers import CONTEXTS, ODD_CONTEXTS, QUESTIONS, VOCABULARY, make_labeler

NAMES = {"token_ids": "input_ids", "segment_ids": "token_type_ids", "padding_mask": "attention_mask"}


def inputs_of(labeler):
    windows = labeler.windows(tf.constant(QUESTIONS), tf.constant(CONTEXTS))
    return {name: part.numpy() for name, part in windows.inputs.items()}


def in_torch(model, inputs):
    torch = pytest.importorskip("torch")
    with torch.no_grad():
        found = model.eval()(**{NAMES[name]: torch.tensor(array) for name, array in inputs.items()})
    return {"start_logits": found.start_logits.numpy(), "end_logits": found.end_logits.numpy()}


def assert_same_logits(labeler, model):
    inputs = inputs_of(labeler)
    ours, theirs = labeler(inputs), in_torch(model, inputs)
    real = inputs["padding_mask"] > 0
    assert not real.all()
    for name, logits in ours.items():
        logits = keras.ops.convert_to_numpy(logits)
        np.testing.assert_allclose(logits[real], theirs[name][real], atol=1e-5)
        assert (logits[~real] == -1e9).all()


def test_transformers_loads_what_is_saved(tmp_path):
    transformers = pytest.importorskip("transformers")
    labeler = make_labeler()
    labeler.save_to_preset(tmp_path)
    model, report = transformers.BertForQuestionAnswering.from_pretrained(tmp_path, output_loading_info=True)
    assert not any(report[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    assert_same_logits(labeler, model)


def test_what_transformers_saves_is_loaded(tmp_path, caplog):
    transformers = pytest.importorskip("transformers")
    sizes = {"hidden_size": 12, "num_hidden_layers": 2, "num_attention_heads": 3, "intermediate_size": 20}
    config = transformers.BertConfig(
        vocab_size=len(VOCABULARY), max_position_embeddings=18, initializer_range=0.4, **sizes
    )
    model = transformers.BertForQuestionAnswering(config)
    model.save_pretrained(tmp_path)
    (tmp_path / "vocab.txt").write_text("\n".join(VOCABULARY), encoding="utf-8")
    with caplog.at_level("WARNING", "keras_bert"):
        labeler = keras_bert.BertSpanLabeler.from_preset(tmp_path, max_question_length=4, doc_stride=5)
    assert caplog.messages == [] and labeler.preprocessor.sequence_length == 18
    assert_same_logits(labeler, model)


def test_the_loss_is_transformers(tmp_path):
    transformers, torch = pytest.importorskip("transformers"), pytest.importorskip("torch")
    labeler = make_labeler()
    labeler.save_to_preset(tmp_path)
    model = transformers.BertForQuestionAnswering.from_pretrained(tmp_path)
    full = {name: part[:5] for name, part in inputs_of(labeler).items()}
    full["padding_mask"][:] = 1  # transformers' loss counts padding
    first, last = np.array([0, 3, 5, 16, 2]), np.array([0, 4, 9, 16, 2])
    with torch.no_grad():
        tensors = {NAMES[name]: torch.tensor(array) for name, array in full.items()}
        theirs = model.eval()(**tensors, start_positions=torch.tensor(first), end_positions=torch.tensor(last)).loss
    ours = labeler.evaluate(full, np.stack([first, last], axis=1), verbose=0, return_dict=True)
    assert ours["loss"] == pytest.approx(float(theirs), abs=1e-5)


def every_span(labeler, question, context):
    """(logit, start, end) of every span, and the logits of no answer, window by window."""
    tokenizer, sizes = labeler.preprocessor.tokenizer, labeler.head_config()
    question_ids = tokenizer(question).numpy().tolist()[: sizes["max_question_length"]]
    ids, starts, ends = (part.numpy().tolist() for part in tokenizer.tokenize_with_offsets(context))
    room = labeler.preprocessor.sequence_length - 3 - len(question_ids)
    parts, begin = [], 0
    while not parts or parts[-1][-1:] != [len(ids) - 1] and ids:
        parts.append(list(range(begin, min(begin + room, len(ids)))))
        begin += sizes["doc_stride"]
    sees = [
        [min(place - part[0], part[-1] - place) + 0.01 * len(part) if place in part else -1 for part in parts]
        for place in range(len(ids))
    ]
    spans, nothing = [], []
    for number, part in enumerate(parts):
        row = [2, *question_ids, 3, *(ids[i] for i in part), 3]
        offset = len(row) - 1 - len(part)
        segments = [0] * offset + [1] * (len(part) + 1)
        inputs = {"token_ids": [row], "segment_ids": [segments], "padding_mask": [[1] * len(row)]}
        logits = labeler({name: np.array(values) for name, values in inputs.items()})
        start, end = (keras.ops.convert_to_numpy(logits[name])[0] for name in ("start_logits", "end_logits"))
        nothing.append(start[0] + end[0])
        for i, first in enumerate(part):
            if np.argmax(sees[first]) == number:
                for j, last in enumerate(part[i : i + sizes["max_answer_length"]], start=i):
                    spans.append((start[offset + i] + end[offset + j], starts[first], ends[last]))
    return sorted(spans, reverse=True), min(nothing)


@pytest.mark.parametrize("threshold", [None, -0.5])
def test_answers_are_the_best_of_all_spans(threshold):
    labeler = make_labeler(no_answer_threshold=threshold)
    with pytest.warns(UserWarning, match="1 of 7 questions are longer than max_question_length=4 .* row 3"):
        records = labeler.predict((QUESTIONS, CONTEXTS), n_best=3, verbose=0)
    answered = 0
    for record, question, context in zip(records, QUESTIONS, CONTEXTS, strict=True):
        spans, nothing = every_span(labeler, question, context)
        logits = [logit for logit, _, _ in spans] + ([nothing] if threshold is not None else [])
        total = np.logaddexp.reduce(logits) if logits else 0.0
        assert len(record["answers"]) == min(3, len(spans))
        for found, (logit, start, end) in zip(record["answers"], spans, strict=False):
            assert found["answer"] == context[start:end] and (found["start"], found["end"]) == (start, end)
            assert found["score"] == pytest.approx(np.exp(logit - total), abs=1e-5)
        best = {name: record[name] for name in ("answer", "start", "end", "score")}
        has_none = not spans or (threshold is not None and nothing - spans[0][0] > threshold)
        if not has_none:
            assert best == record["answers"][0]
            answered += 1
        else:
            score = np.exp(nothing - total) if threshold is not None else 0.0
            assert (best["answer"], best["start"], best["end"]) == ("", 0, 0)
            assert best["score"] == pytest.approx(score, abs=1e-5)
        if threshold is not None and spans:
            assert record["no_answer_score"] == pytest.approx(nothing - spans[0][0], abs=1e-4)
    assert answered == 6 if threshold is None else 0 < answered < 6


ASK = """
import json, sys
import tensorflow as tf
import tensorflow_text
signature = tf.saved_model.load(sys.argv[1]).signatures["serving_default"]
for questions, contexts in json.loads(sys.argv[2]):
    answers = signature(question=tf.constant(questions, tf.string), context=tf.constant(contexts, tf.string))
    plain = lambda x: [plain(y) for y in x] if isinstance(x, list) else x.decode() if isinstance(x, bytes) else x
    print(json.dumps({name: plain(value.numpy().tolist()) for name, value in answers.items()}))
"""


@pytest.mark.filterwarnings("ignore:.*questions are longer")
def test_the_export_gives_the_same_answers_in_a_fresh_process(tmp_path):
    labeler = make_labeler(no_answer_threshold=0.0)
    labeler.export(tmp_path / "1", n_best=2)
    groups = [(QUESTIONS, CONTEXTS), (["a"] * len(ODD_CONTEXTS), ODD_CONTEXTS), (["b"], [CONTEXTS[5]]), ([], [])]
    command = [sys.executable, "-c", ASK, str(tmp_path / "1"), json.dumps(groups)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[-3000:]
    for (questions, contexts), line in zip(groups, result.stdout.splitlines(), strict=True):
        found = json.loads(line)
        records = labeler.predict((questions, contexts), n_best=2, verbose=0) if questions else []
        for name in ("answer", "start", "end"):
            assert found[name] == [record[name] for record in records], name
        for name in ("score", "no_answer_score"):
            np.testing.assert_allclose(found[name], [record[name] for record in records], atol=1e-5)
        for row, record in enumerate(records):
            assert found["answers"][row][: len(record["answers"])] == [part["answer"] for part in record["answers"]]


def test_a_context_of_a_megabyte_is_answered(tmp_path):
    labeler = make_labeler(num_layers=1, sequence_length=384, doc_stride=360)
    context = "a b c d. Words that are not known " * 30000 + "中国"
    assert len(context) > 10**6
    labeler.export(tmp_path / "1")
    signature = tf.saved_model.load(str(tmp_path / "1")).signatures["serving_default"]
    served = signature(question=tf.constant(["a"]), context=tf.constant([context]))
    (record,) = labeler.predict((["a"], [context]), verbose=0)
    assert served["answer"].numpy()[0].decode() == record["answer"] == context[record["start"] : record["end"]] != ""


def test_it_learns_and_is_saved_and_loaded(tmp_path):
    rng = np.random.default_rng(3)
    contexts = [" ".join(rng.choice([*"abcdefgh"], size=rng.integers(2, 20))) + " 中国 ." for _ in range(64)]
    questions = ["a b" if i % 2 else "c" for i in range(64)]
    answers = ["中国" if i % 2 else None for i in range(64)]
    labeler = make_labeler(num_layers=1, no_answer_threshold=0.0)
    labeler.compile(learning_rate=2e-2)
    rows = [
        {"id": str(i), "question": question, "is_impossible": not answer, "answers": [{"text": answer}] * bool(answer)}
        for i, (question, answer) in enumerate(zip(questions, answers, strict=True))
    ]
    paragraphs = [{"context": context, "qas": [row]} for context, row in zip(contexts, rows, strict=True)]
    scores = keras_bert.metrics.SquadScores({"data": [{"paragraphs": paragraphs}]})
    options = {"epochs": 5, "batch_size": 8, "verbose": 0, "validation_split": 0.25, "callbacks": [scores]}
    history = labeler.fit((questions, contexts), answers, **options).history
    assert history["val_f1"][-1] > 95
    assert history["val_f1"][-1] == scores.scores()["best_f1"] and "no_answer_threshold" in history
    assert labeler.no_answer_threshold == 0.0
    assert history["val_loss"][-1] < 0.5 * history["val_loss"][0]
    records = labeler.predict((questions, contexts), verbose=0)
    right = sum(record["answer"] == (answer or "") for record, answer in zip(records, answers, strict=True))
    assert right >= 60
    labeler.save_to_preset(tmp_path / "preset")
    labeler.save(tmp_path / "labeler.keras")
    for again in (
        keras_bert.BertSpanLabeler.from_preset(tmp_path / "preset"),
        keras.models.load_model(tmp_path / "labeler.keras"),
    ):
        assert again.head_config() == labeler.head_config()
        assert again.predict(list(zip(questions, contexts, strict=True)), verbose=0) == records


def test_a_dataset_gives_the_losses_of_the_lists():
    answers = [(0, 0), (0, 1), (0, 1), (2, 5), (4, 7), (0, 3), (0, 1)]
    weights = np.array([1, 2, 0, 1, 3, 1, 1], "float32")
    labeler = make_labeler(num_layers=1)
    options = {"verbose": 0, "return_dict": True}
    lists = labeler.evaluate((QUESTIONS, CONTEXTS), answers, batch_size=4, sample_weight=weights, **options)
    dataset = tf.data.Dataset.from_tensor_slices(((QUESTIONS, CONTEXTS), answers, weights))
    assert labeler.evaluate(dataset, batch_size=4, **options) == lists
    assert labeler.evaluate(dataset.batch(3), batch_size=4, **options) == lists
    unweighted = labeler.evaluate((QUESTIONS, CONTEXTS), answers, **options)
    assert abs(unweighted["loss"] - lists["loss"]) > 1e-3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"doc_stride": 0}, "at least 1. Received: {'doc_stride': 0}"),
        ({"max_question_length": 14}, "max_question_length=14, sequence_length=17"),
        ({"no_answer_threshold": "x"}, "`no_answer_threshold` must be a number or None. Received: 'x'"),
        ({"no_answer_threshold": float("nan")}, "must be a number or None. Received: nan"),
        ({"max_answer_length": 2.5}, "Received: {'max_answer_length': 2.5}"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        make_labeler(**arguments)


def test_inputs_that_cannot_be_used_are_refused(tmp_path):
    labeler = make_labeler(num_layers=1)
    for call in (labeler.predict, lambda x: labeler.fit(x, [None])):
        with pytest.raises(ValueError, match="must be pairs: .questions, contexts.. Received: single texts"):
            call(["a"])
    with pytest.raises(ValueError, match="an answer for each context. Received: 2 for 1"):
        labeler.fit((["a"], ["b"]), ["b", "b"])
    with pytest.raises(ValueError, match="an answer for each context. Received: None for 1"):
        labeler.fit((["a"], ["b"]))
    with pytest.raises(ValueError, match="`sample_weight` must be finite. Received: nan in row 0"):
        labeler.fit((["a"], ["b"]), ["b"], sample_weight=[float("nan")])
    with pytest.raises(ValueError, match="takes dicts of encoder inputs"):
        make_labeler(texts=False).fit((["a"], ["b"]), ["b"])
    with pytest.raises(ValueError, match="New tokens need a vocabulary. Received: a model without a preprocessor"):
        make_labeler(texts=False).with_tokens(["[E1]"])
    with pytest.warns(UserWarning, match="1 of 1 answers are longer than max_answer_length=4"):
        labeler.fit((["a"], ["a b c d e"]), ["a b c d e"], verbose=0)
    with pytest.raises(ValueError, match="'c' in row 0, which is nowhere"):
        labeler.fit((["a"], ["b"]), ["c"])
    with pytest.raises(ValueError, match="no classes. Received: class_weight"):
        labeler.fit((["a"], ["b"]), ["b"], class_weight={0: 1.0})
    with pytest.raises(ValueError, match="`n_best` must be a whole number of at least 1. Received: 0"):
        labeler.predict((["a"], ["b"]), n_best=0)
    with pytest.raises(ValueError, match="`n_best` must be a whole number of at least 1. Received: 0"):
        labeler.export(tmp_path / "1", n_best=0)
    with pytest.raises(ValueError, match="without a preprocessor"):
        make_labeler(texts=False).predict((["a"], ["b"]))
    assert labeler.predict(([], []), verbose=0) == []


def test_datasets_that_cannot_be_used_are_refused():
    labeler, slices = make_labeler(num_layers=1), tf.data.Dataset.from_tensor_slices
    pairs, spans = (["a", "b"], ["a b c", "d"]), np.array([[0, 1], [0, 0]])
    weighted, plain = slices((pairs, spans, [1.0, 1.0])), slices((pairs, spans))
    losses = [labeler.evaluate(d, verbose=0, return_dict=True)["loss"] for d in (plain, plain.batch(2), weighted)]
    assert losses[0] == losses[1] == losses[2]
    for elements in ((*pairs, spans), pairs, pairs[0], (pairs, ["a", ""]), (pairs,), (pairs, spans[:, 0])):
        dataset = slices(elements)
        with pytest.raises(ValueError, match="A dataset must give .*question, context.*answer_spans. makes"):
            labeler.fit(dataset)
    with pytest.raises(ValueError, match="must come with the dataset"):
        labeler.fit(plain, ["a", "d"])
    with pytest.raises(ValueError, match="An endless dataset needs `validation_steps`"):
        labeler.fit(plain, validation_data=plain.repeat())
    with pytest.raises(ValueError, match="An endless dataset needs `steps`"):
        labeler.evaluate(plain.repeat())
    for wrong in ([[0, 9], [0, 0]], [[1, 0], [0, 0]], [[-1, 1], [0, 0]]):
        with pytest.raises(tf.errors.InvalidArgumentError, match="Answers must be in their contexts"):
            labeler.evaluate(slices((pairs, np.array(wrong))), verbose=0)
    inputs = {name: np.ones((2, 3), int) for name in labeler.input}
    with pytest.raises(ValueError, match="must be their first and last tokens"):
        labeler.fit(inputs, ["a", "b"])
