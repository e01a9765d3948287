"""BertMultipleChoice against transformers and torch, and against itself saved, exported and in other forms of input."""

import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_bert
from keras_bert.data import token_budget
from keras_bert.training.loss_terms import loss_terms
from tests.choosers import ANSWERS, CHOICES, CONTEXTS, EXAMPLES, ODD, QUESTIONS, VOCABULARY, make_chooser
from tests.classifiers import make_classifier, values_of

NAMES = {"token_ids": "input_ids", "segment_ids": "token_type_ids", "padding_mask": "attention_mask"}
SLICES = tf.data.Dataset.from_tensor_slices
TEXTS = [row[answer] for row, answer in zip(CHOICES, ANSWERS, strict=True)]
SHORT = (CONTEXTS[:3], QUESTIONS[:3], [["a", "b c", "d"], ["", "中 国", "x"], ["e", "f", "g h"]])


def ready(chooser, texts=SHORT):
    return {name: part.numpy() for name, part in chooser.packer(texts).items()}


def logits_of(chooser, inputs):
    return keras.ops.convert_to_numpy(chooser(inputs, training=False))


def scores_of(chooser, texts):
    """What `predict` should give, question by question."""
    rows = [chooser.packer(tuple([part] for part in one)) for one in zip(*texts, strict=True)]
    return np.concatenate([tf.nn.softmax(chooser(row, training=False)).numpy() for row in rows])


def in_torch(chooser, folder):
    """The model as transformers reads it, and how it reads inputs."""
    transformers, torch = pytest.importorskip("transformers"), pytest.importorskip("torch")
    chooser.save_to_preset(folder)
    model, report = transformers.BertForMultipleChoice.from_pretrained(folder, output_loading_info=True)
    assert not any(report[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    return model.eval(), lambda inputs: {NAMES[name]: torch.tensor(part) for name, part in inputs.items()}


def test_transformers_loads_what_is_saved(tmp_path):
    chooser = make_chooser(dropout=0.25)
    model, tensors = in_torch(chooser, tmp_path)
    assert model.config.classifier_dropout == 0.25
    inputs = ready(chooser)
    lengths = inputs["padding_mask"].sum(axis=2)
    assert len(set(lengths.ravel())) > 3  # padding of several lengths
    theirs = model(**tensors(inputs)).logits.detach().numpy()
    np.testing.assert_allclose(logits_of(chooser, inputs), theirs, atol=1e-5)
    assert (theirs.max(axis=1) - theirs.min(axis=1)).min() > 1e-3


def test_what_transformers_saves_is_loaded(tmp_path, caplog):
    transformers, torch = pytest.importorskip("transformers"), pytest.importorskip("torch")
    sizes = {"hidden_size": 12, "num_hidden_layers": 2, "num_attention_heads": 3, "intermediate_size": 20}
    settings = {"max_position_embeddings": 18, "initializer_range": 0.4, "classifier_dropout": 0.35}
    config = transformers.BertConfig(vocab_size=len(VOCABULARY), **sizes, **settings)
    model = transformers.BertForMultipleChoice(config).eval()
    model.save_pretrained(tmp_path)
    (tmp_path / "vocab.txt").write_text("\n".join(VOCABULARY), encoding="utf-8")
    with caplog.at_level("WARNING", "keras_bert"):
        chooser = keras_bert.BertMultipleChoice.from_preset(tmp_path)
    assert caplog.messages == [] and chooser.dropout == 0.35
    inputs = ready(chooser)
    with torch.no_grad():
        theirs = model(**{NAMES[name]: torch.tensor(part) for name, part in inputs.items()}).logits.numpy()
    np.testing.assert_allclose(logits_of(chooser, inputs), theirs, atol=1e-5)


def test_the_loss_and_its_gradients_are_torchs(tmp_path):
    chooser = make_chooser()
    model, tensors = in_torch(chooser, tmp_path)
    inputs, y = ready(chooser), np.array([2, 0, 1])
    torch = pytest.importorskip("torch")
    theirs = model(**tensors(inputs), labels=torch.tensor(y)).loss
    theirs.backward()
    with tf.GradientTape() as tape:
        loss = chooser.compute_loss(inputs, y, chooser(inputs, training=True))
    variables = [v.value for v in chooser.trainable_variables]
    found = [tf.convert_to_tensor(part).numpy() for part in tape.gradient(loss, variables)]
    by_path = dict(zip([v.path for v in chooser.trainable_variables], found, strict=True))
    assert float(loss) == pytest.approx(theirs.item(), abs=1e-5)
    for name, weight in chooser.named_weights().items():
        ours = by_path[getattr(weight.layer, weight.attribute).path]
        parameter = model.get_parameter(name if name.startswith("classifier") else f"bert.{name}")
        np.testing.assert_allclose(ours.T if weight.transposed else ours, parameter.grad, atol=1e-5, err_msg=name)


def trained(chooser, inputs, y, **how):
    chooser.compile(optimizer=keras.optimizers.SGD(0.1), run_eagerly=True, **how.pop("compile", {}))
    history = chooser.fit(inputs, y, shuffle=False, verbose=0, **how).history
    return history, values_of(chooser)


def test_parts_and_rows_that_fill_a_batch_up_change_nothing():
    """As weights of 0 do, a question of padding only counts nowhere."""
    chooser, y, weights = make_chooser(), np.array([2, 0, 1]), np.array([1.0, 0.5, 3.0])
    inputs = ready(chooser)
    losses = -np.log(scores_of(chooser, SHORT)[np.arange(3), y])
    history, values = trained(chooser, inputs, y, sample_weight=weights)
    assert history["loss"] == pytest.approx([(losses * weights).sum() / weights.sum()], rel=1e-5)
    full = {name: np.concatenate([part, 0 * part[:2]]) for name, part in inputs.items()}
    more = {"sample_weight": np.append(weights, [1.0, 1.0]), "compile": {"gradient_accumulation_steps": 2}}
    other, others = trained(make_chooser(), full, np.append(y, [1, 1]), **more)
    assert other == {name: pytest.approx(value, rel=1e-5) for name, value in history.items()}
    for path, value in values.items():
        np.testing.assert_allclose(others[path], value, atol=1e-6, err_msg=path)


def test_a_loss_of_the_user_is_of_logits():
    chooser, y = make_chooser(), np.array([2, 0, 1])
    chooser.compile(loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True), run_eagerly=True)
    expected = -np.log(scores_of(chooser, SHORT)[np.arange(3), y]).mean()
    assert chooser.evaluate(SHORT, y, verbose=0, return_dict=True)["loss"] == pytest.approx(expected, rel=1e-5)
    assert list(loss_terms(chooser.default_losses())) == [None]


@pytest.fixture(scope="module")
def chooser():
    chooser = make_chooser(num_layers=1)
    chooser.compile(run_eagerly=True)
    return chooser


@pytest.fixture(scope="module")
def scores(chooser):
    return scores_of(chooser, EXAMPLES)


FORMS = {
    "a list of examples": (list(zip(*EXAMPLES, strict=True)), TEXTS),
    "arrays": (tuple(np.array(part) for part in EXAMPLES), np.array(ANSWERS)),
    "a dataset": (SLICES((EXAMPLES, ANSWERS)), None),
    "a dataset of batches": (SLICES((EXAMPLES, TEXTS)).batch(2), None),
    "ready inputs": (ready(make_chooser(), EXAMPLES), ANSWERS),
    "a dataset of ready inputs": (SLICES((ready(make_chooser(), EXAMPLES), ANSWERS)), None),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_input_gives_the_same_numbers(chooser, scores, form):
    x, y = FORMS[form]
    loss, accuracy = chooser.evaluate(x, y, batch_size=3, verbose=0)
    assert loss == pytest.approx(-np.log(scores[np.arange(5), ANSWERS]).mean(), rel=1e-5)
    assert accuracy == pytest.approx((scores.argmax(axis=1) == ANSWERS).mean())
    inputs = [x.map(lambda x, _: x), x] if isinstance(x, tf.data.Dataset) else [x]
    for x in inputs:
        np.testing.assert_allclose(chooser.predict(x, verbose=0), scores, atol=1e-6)


def test_predictions_are_in_order_over_batches_and_portions(chooser, monkeypatch):
    texts = ([f"{'a ' * (i * 5 % 11)}b" for i in range(9)], ["c"] * 9, [["d", "e " * (i % 4)] for i in range(9)])
    expected = scores_of(chooser, texts)
    assert len(np.unique(expected[:, 0].round(5))) > 5
    for portion, batch_size in ((16384, None), (16384, 4), (7, 4)):
        monkeypatch.setattr(token_budget, "_PORTION", portion)
        found = chooser.predict(texts, batch_size=batch_size, verbose=0)
        np.testing.assert_allclose(found, expected, atol=1e-6)
    assert chooser.predict(([], [], []), verbose=0).shape == (0, 0)


def test_without_questions_a_choice_stands_alone(chooser, scores):
    found = chooser.predict((CONTEXTS, CHOICES), verbose=0)
    np.testing.assert_allclose(found, scores_of(chooser, (CONTEXTS, [""] * 5, CHOICES)), atol=1e-6)
    assert np.abs(found - scores).max() > 0.01


def made_up(count, seed=3):
    """Questions whose answer is the letter that stands in the context, among three."""
    rng = np.random.default_rng(seed)
    drawn = [rng.permutation(list("abcdefgh")) for _ in range(count)]
    places = rng.integers(3, size=count)
    contexts = [f"中 {letters[place]} 国" for letters, place in zip(drawn, places, strict=True)]
    return (contexts, ["."] * count, [letters[:3].tolist() for letters in drawn]), places.tolist()


def test_it_learns_and_is_saved_and_loaded(tmp_path):
    chooser = make_chooser(num_layers=1)
    x, places = made_up(128)
    answers = [row[place] for row, place in zip(x[2], places, strict=True)]
    chooser.compile(learning_rate=2e-2, run_eagerly=True)
    history = chooser.fit(x, answers, epochs=12, batch_size=16, verbose=0, validation_split=0.25).history
    print(history["val_accuracy"])
    assert history["val_accuracy"][-1] > 0.9 > 0.6 > history["val_accuracy"][0]
    inputs = ready(chooser)
    chooser.save_to_preset(tmp_path / "preset")
    chooser.save(tmp_path / "chooser.keras")
    for again in (
        keras_bert.BertMultipleChoice.from_preset(tmp_path / "preset"),
        keras.models.load_model(tmp_path / "chooser.keras"),
    ):
        assert again.head_config() == chooser.head_config()
        assert again.preprocessor.get_config() == chooser.preprocessor.get_config()
        np.testing.assert_array_equal(logits_of(again, inputs), logits_of(chooser, inputs))


@pytest.mark.slow
def test_xla_trains_as_eager_steps_do():
    """With rows of one length, and padding computed."""
    results = []
    for how in ({"run_eagerly": True}, {"jit_compile": True}):
        chooser = make_chooser(num_layers=1)
        chooser.compile(optimizer=keras.optimizers.SGD(0.1), **how)
        history = chooser.fit(EXAMPLES, ANSWERS, batch_size=2, shuffle=False, verbose=0).history
        results.append((history, values_of(chooser), chooser.predict(EXAMPLES, verbose=0)))
    (history, values, scores), (other, others, other_scores) = results
    assert other == {name: pytest.approx(value, rel=1e-5) for name, value in history.items()}
    np.testing.assert_allclose(other_scores, scores, atol=1e-5)
    for path, value in values.items():
        np.testing.assert_allclose(others[path], value, atol=1e-5, err_msg=path)


def test_a_part_of_it_trains_and_tokens_are_added():
    chooser = make_chooser(num_layers=1)
    grown = chooser.with_tokens(["[X]"])
    inputs = ready(chooser)
    np.testing.assert_array_equal(logits_of(grown, inputs), logits_of(chooser, inputs))
    assert grown.packer((["[X]"], [["a", "b"]]))["token_ids"].numpy()[0, 0, 1] == len(VOCABULARY)
    for adapt in (lambda model: model.freeze_encoder(), lambda model: model.enable_lora(rank=2)):
        model = make_chooser(num_layers=1)
        adapt(model)
        model.compile(optimizer=keras.optimizers.Adam(0.1), run_eagerly=True)
        before = {v.path: v.numpy() for v in model.encoder.non_trainable_variables}
        logits = logits_of(model, inputs)
        model.fit(inputs, [2, 0, 1], verbose=0)
        assert len(before) > 15
        for variable in model.encoder.non_trainable_variables:
            np.testing.assert_array_equal(variable, before[variable.path])
        assert np.abs(logits_of(model, inputs) - logits).max() > 1e-3


@pytest.mark.parametrize("task", ["single_label", "regression"])
def test_a_head_of_classes_is_no_head_of_choices_but_a_score_is(tmp_path, caplog, task):
    labels = None if task == "regression" else ("no", "yes")
    classifier = make_classifier(labels, task)
    classifier.save_to_preset(tmp_path / "classes")
    with caplog.at_level("WARNING", "keras_bert"):
        chooser = keras_bert.BertMultipleChoice.from_preset(tmp_path / "classes", dropout=0.5)
    goes_on = task == "regression"
    assert ["new and random" in message for message in caplog.messages] == ([] if goes_on else [True])
    if goes_on:
        for one, other in zip(chooser.scores_layer.get_weights(), classifier.logits_layer.get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)
    assert (chooser.dropout, chooser.encoder.arguments["dropout"]) == (0.5, 0.5)
    inputs = chooser.preprocessor(["a fine film"])
    expected = classifier.encoder(inputs)["pooled_output"]
    np.testing.assert_array_equal(chooser.encoder(inputs)["pooled_output"], expected)
    chooser.save_to_preset(tmp_path / "choices")
    again = keras_bert.BertClassifier.from_preset(tmp_path / "choices", labels=labels, task=task)
    np.testing.assert_array_equal(again.encoder(inputs)["pooled_output"], expected)


def test_mixed_precision_gives_logits_in_float32(tmp_path):
    make_chooser().save_to_preset(tmp_path)
    chooser = keras_bert.BertMultipleChoice.from_preset(tmp_path, dtype="mixed_bfloat16", sequence_length=12)
    assert (chooser.encoder.compute_dtype, chooser.preprocessor.sequence_length) == ("bfloat16", 12)
    logits = chooser(ready(chooser))
    assert logits.dtype == "float32"
    np.testing.assert_allclose(logits, logits_of(make_chooser(), ready(chooser)), atol=0.1)


ASK = """
import json, sys
import tensorflow as tf
import tensorflow_text
serve = tf.saved_model.load(sys.argv[1]).signatures["serving_default"]
plain = lambda x: [plain(y) for y in x] if isinstance(x, list) else x.decode("utf-8") if isinstance(x, bytes) else x
for question in json.loads(sys.argv[2]):
    count = len(question["choices"][0]) if question["choices"] else 4
    inputs = {name: tf.constant(texts, tf.string) for name, texts in question.items()}
    inputs["choices"] = tf.reshape(inputs["choices"], [-1, count])
    print(json.dumps({name: plain(value.numpy().tolist()) for name, value in serve(**inputs).items()}))
empty = serve(context=tf.zeros([0], tf.string), question=tf.zeros([0], tf.string), choices=tf.zeros([0, 4], tf.string))
print(json.dumps({name: value.shape.as_list() for name, value in empty.items()}))
try:
    serve(context=tf.constant(["a"]), question=tf.constant(["b", "c"]), choices=tf.constant([["d", "e"]]))
except Exception as error:
    print(json.dumps(str(error)))
assert not [name for name in sys.modules if name.startswith("keras_bert")]
"""
TEXT_ODD = [text for text in ODD if isinstance(text, str)]
GROUPS = [EXAMPLES, tuple(part[:1] for part in EXAMPLES)]
GROUPS += [(TEXT_ODD, TEXT_ODD[::-1], [[text, "a", "b c", f"{text} d"] for text in TEXT_ODD])]


def test_the_export_gives_the_same_choices_in_a_fresh_process(chooser, tmp_path):
    chooser.export(tmp_path / "1")
    asked = json.dumps([dict(zip(("context", "question", "choices"), group, strict=True)) for group in GROUPS])
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    command = [sys.executable, "-c", ASK, str(tmp_path / "1"), asked]
    result = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[-3000:]
    *answers, empty, refused = [json.loads(line) for line in result.stdout.splitlines()]
    for group, found in zip(GROUPS, answers, strict=True):
        scores = chooser.predict(group, verbose=0)
        assert set(found) == {"choice", "answer", "probabilities"}
        np.testing.assert_allclose(found["probabilities"], scores, atol=1e-5)
        assert found["choice"] == np.argmax(found["probabilities"], axis=1).tolist()
        assert found["answer"] == [row[choice] for row, choice in zip(group[2], found["choice"], strict=True)]
    assert empty == {"choice": [0], "answer": [0], "probabilities": [0, 4]}
    assert "must have as many rows" in refused


def test_texts_that_are_no_utf_8_are_answered(chooser):
    texts = (ODD, ODD[::-1], [[text, b"\xff", "a"] for text in ODD])
    scores = chooser.predict(texts, verbose=0)
    assert np.isfinite(scores).all()
    found = chooser.answers(*(tf.constant(part) for part in texts))
    np.testing.assert_allclose(found["probabilities"], scores, atol=1e-6)
    assert found["answer"].numpy().tolist() == [
        row[choice].encode() if isinstance(row[choice], str) else row[choice]
        for row, choice in zip(texts[2], found["choice"], strict=True)
    ]


REFUSED = {
    "one choice": (((["a"], ["b"], [["c"]]), [0]), "must have at least two choices. Received: 1"),
    "unequal choices": (((["a", "b"], [["c", "d"], ["e"]]), [0, 0]), "as many choices. Received: 2 in row 0, 1 in row"),
    "an index of none": ((EXAMPLES, [2, 1, 0, 3, 2]), "must be indices of choices, 0 to 2.* Received: 3 in row 3"),
    "a text of none": ((EXAMPLES, [*TEXTS[:4], "x"]), "Received: 'x' in row 4"),
    "no examples": ((([], [], []), []), "There must be at least one example"),
    "no answers": ((EXAMPLES,), "Labels must be given as `y`"),
    "ready inputs of rows": (
        ({name: np.ones((5, 3), int) for name in NAMES}, ANSWERS),
        r"must have one shape, \(rows, choices, tokens\)",
    ),
    "texts alone": ((CONTEXTS, ANSWERS), r"must be \(contexts, questions, choices\) or .* Received: list"),
    "answers beside a dataset": ((SLICES((EXAMPLES, ANSWERS)), ANSWERS), "must come with the dataset"),
    "a dataset without answers": ((SLICES(EXAMPLES),), "A dataset must give"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_examples_that_do_not_fit_together_are_refused(chooser, name):
    arguments, message = REFUSED[name]
    for use in (chooser.fit, chooser.evaluate):
        with pytest.raises(ValueError, match=message):
            use(*arguments, verbose=0)


def test_settings_that_do_not_fit_are_refused(chooser, tmp_path):
    with pytest.raises(ValueError, match="Choices have no classes. Received: class_weight"):
        chooser.fit(EXAMPLES, ANSWERS, class_weight={0: 2.0})
    with pytest.raises(ValueError, match="room for three special tokens .* Received: sequence_length=3"):
        make_chooser(sequence_length=3)
    bare = make_chooser(texts=False)
    for use in (lambda: bare.predict(EXAMPLES), lambda: bare.fit(EXAMPLES, ANSWERS)):
        with pytest.raises(ValueError, match="without a preprocessor takes dicts of encoder inputs. Received: texts"):
            use()
    with pytest.raises(ValueError, match="An export from strings needs a preprocessor"):
        bare.export(tmp_path / "1")
    np.testing.assert_array_equal(bare(ready(chooser)), make_chooser()(ready(chooser)))
