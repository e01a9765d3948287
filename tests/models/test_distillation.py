"""A student learns exactly what the papers' losses say, from its teacher and from labels, and its teacher stays."""

import re

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_bert
from keras_bert.models.weights import encoder_weights, weight_values
from tests.classifiers import (
    INDICES,
    NAMES,
    TEXTS,
    VOCABULARY,
    make_classifier,
    values_of,
    with_large_weights,
)
from tests.reference import bert

# Of two texts nobody knows the label.
SOME = [None if row in (1, 4) else name for row, name in enumerate(NAMES)]
LABELS = ("negative", "positive")


@pytest.fixture(scope="module")
def teacher():
    """Its dropout would show, if it were on."""
    return make_classifier(num_layers=4, dropout=0.5)


@pytest.fixture(scope="module")
def untaught():
    """What refuses needs no student of its own."""
    return make_classifier()


def make_student(num_layers=2, seed=3, **arguments):
    """A student without dropout that knows nothing of the teacher."""
    student = make_classifier(num_layers=num_layers, **arguments)
    rng = np.random.default_rng(seed)
    for weight in student.trainable_variables:
        weight.assign(weight + rng.normal(0, 0.1, weight.shape))
    return student


def one_step(student, teacher, rate=0.0, **arguments):
    """A distiller for a single step, not worth a graph."""
    distiller = keras_bert.BertDistiller(student, teacher, **arguments)
    distiller.compile(optimizer=keras.optimizers.SGD(rate), run_eagerly=True)
    return distiller


def states_of(classifier):
    """The hidden states `(B, T, H)` of every layer for `TEXTS`, in NumPy, and which places are real."""
    encoder, inputs = classifier.encoder, classifier.preprocessor(TEXTS)
    inputs = {name: tensor.numpy() for name, tensor in inputs.items()}
    found = bert(weight_values(encoder_weights(encoder)), inputs, encoder.arguments["num_heads"])
    return found["hidden_states"][1:], inputs["padding_mask"] > 0


def softmax(logits):
    exponents = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return exponents / exponents.sum(axis=-1, keepdims=True)


def logits_of(classifier):
    return np.asarray(classifier(classifier.preprocessor(TEXTS), training=False), "float64")


def parts_of_the_loss(student, teacher, temperature, layers):
    """The three losses of every text, in NumPy; that of the labels as if each were known."""
    ours, theirs = logits_of(student), logits_of(teacher)
    labels = -np.log(softmax(ours)[np.arange(len(TEXTS)), INDICES])
    p, q = softmax(theirs / temperature), softmax(ours / temperature)
    divergence = temperature**2 * (p * np.log(p / q)).sum(axis=1)
    (states, is_real), (wanted, _) = states_of(student), states_of(teacher)
    hidden = np.zeros(len(TEXTS))
    for row in range(len(TEXTS)):
        pairs = [(states[place][row], wanted[layer][row]) for place, layer in enumerate(layers)]
        hidden[row] = np.mean([((a - b)[is_real[row]] ** 2).mean() for a, b in pairs])
    return labels, divergence, hidden


@pytest.mark.parametrize(("layers", "meant"), [(None, [1, 3]), ([0, 2], [0, 2]), ([3, 3], [3, 3])])
def test_the_loss_is_that_of_the_papers(teacher, layers, meant):
    student = make_student()
    distiller = one_step(student, teacher, temperature=3.0, alpha=0.7, hidden_weight=0.3, layers=layers)
    weights = np.array([1.0, 2.0, 0.5, 1.0, 3.0, 0.0, 1.0])
    history = distiller.fit(TEXTS, SOME, batch_size=7, sample_weight=weights, shuffle=False, verbose=0).history
    labels, divergence, hidden = parts_of_the_loss(student, teacher, 3.0, meant)
    labels = labels * [name is not None for name in SOME]
    assert min(abs(part).max() for part in (labels, divergence, hidden)) > 0.1
    expected = 0.3 * labels + 0.7 * divergence + 0.3 * hidden
    assert history["loss"][0] == pytest.approx(np.average(expected, weights=weights), rel=1e-5)
    for name, part in (("labels", labels), ("teacher", divergence), ("hidden", hidden)):
        assert history[f"{name}_loss"][0] == pytest.approx(np.average(part, weights=weights), rel=1e-5), name
    known = [name is not None for name in SOME]
    right = logits_of(student).argmax(axis=1) == INDICES
    assert history["labels_accuracy"][0] == pytest.approx(right[known].mean())


def test_gradients_are_torchs(teacher):
    """Of the logits, with the head's bias, whose gradient is that of the logits, added up."""
    torch = pytest.importorskip("torch", reason="needs torch, of the extra [oracles]")
    functional = torch.nn.functional
    student = make_student()
    distiller = one_step(student, teacher, 1.0, temperature=2.0, alpha=0.6)
    ours = torch.tensor(logits_of(student), requires_grad=True)
    known = torch.tensor([name is not None for name in SOME])
    soft = functional.kl_div(
        functional.log_softmax(ours / 2, dim=1), functional.softmax(torch.tensor(logits_of(teacher)) / 2, dim=1),
        reduction="sum",
    )
    hard = functional.cross_entropy(ours[known], torch.tensor(INDICES)[known], reduction="sum")
    ((0.6 * 4 * soft + 0.4 * hard) / len(TEXTS)).backward()
    before = student.logits_layer.bias.numpy()
    distiller.fit(TEXTS, SOME, batch_size=7, verbose=0)
    np.testing.assert_allclose(
        before - student.logits_layer.bias.numpy(), ours.grad.sum(axis=0).numpy(), rtol=0, atol=1e-6
    )


def test_the_student_learns_and_nothing_of_the_teacher_moves(teacher):
    student = make_student()
    distiller = keras_bert.BertDistiller(student, teacher, alpha=1.0, hidden_weight=1.0)
    assert {id(v) for v in distiller.trainable_variables} == {id(v) for v in student.trainable_variables}
    assert len(distiller.weights) == len(student.weights)
    before, of_teacher = values_of(student), teacher.get_weights()
    distiller.compile(learning_rate=1e-2)
    history = distiller.fit(TEXTS, epochs=6, batch_size=4, validation_data=(TEXTS, NAMES), verbose=0).history
    for name in ("val_teacher_loss", "val_hidden_loss"):
        assert history[name][-1] < 0.9 * history[name][0], name
    still = [path for path, value in values_of(student).items() if (value == before[path]).all()]
    assert still == []
    for old, new in zip(of_teacher, teacher.get_weights(), strict=True):
        np.testing.assert_array_equal(new, old)
    assert all(layer.trainable for layer in teacher.encoder.layers)


@pytest.mark.parametrize("training", [False, True])
def test_a_copy_has_no_distance_even_where_the_teacher_has_dropout(teacher, training):
    student = make_classifier(num_layers=4)
    distiller = keras_bert.BertDistiller(student, teacher, hidden_weight=1.0)
    outputs = distiller(student.preprocessor([*TEXTS, ""]), training=training)
    assert outputs["hidden"].shape == (8, 4)
    assert np.asarray(outputs["hidden"]).max() < 1e-12
    np.testing.assert_allclose(outputs["labels"][:7], logits_of(student), rtol=0, atol=1e-5)
    student.encoder.embeddings.norm.beta.assign_add(np.full(12, 0.1, "float32"))
    assert np.asarray(distiller(student.preprocessor(TEXTS))["hidden"]).min() > 1e-5


@pytest.mark.parametrize("hidden_weight", [0.0, 0.5])
def test_dropout_of_the_student_is_on_in_training_alone(teacher, hidden_weight):
    student = make_classifier(num_layers=2, dropout=0.5)
    distiller = keras_bert.BertDistiller(student, teacher, hidden_weight=hidden_weight)
    inputs = student.preprocessor(TEXTS)
    answers = [np.asarray(distiller(inputs, training=training)["teacher"]) for training in (False, False, True, True)]
    np.testing.assert_allclose(answers[0], logits_of(student), rtol=0, atol=1e-5)
    np.testing.assert_array_equal(answers[0], answers[1])
    assert abs(answers[2] - answers[3]).max() > 1e-3


def test_without_a_share_of_the_teacher_it_is_an_ordinary_training(teacher):
    alone, taught = make_student(1), make_student(1)
    alone.compile(learning_rate=1e-3, run_eagerly=True)
    expected = alone.fit(TEXTS, NAMES, batch_size=3, shuffle=False, verbose=0).history
    distiller = keras_bert.BertDistiller(taught, teacher, alpha=0.0)
    distiller.compile(learning_rate=1e-3, run_eagerly=True)
    found = distiller.fit(TEXTS, INDICES, batch_size=3, shuffle=False, verbose=0).history
    np.testing.assert_allclose(found["loss"], expected["loss"], rtol=1e-6)
    np.testing.assert_allclose(found["labels_accuracy"], expected["accuracy"])
    expected = values_of(alone)
    for path, value in values_of(taught).items():
        np.testing.assert_allclose(value, expected[path], rtol=0, atol=1e-5, err_msg=path)


def test_a_batch_in_parts_gives_the_same_update(teacher):
    found = []
    for parts in (1, 3):
        student = make_student()
        distiller = keras_bert.BertDistiller(student, teacher, hidden_weight=1.0)
        sgd = keras.optimizers.SGD(0.1)
        distiller.compile(optimizer=sgd, gradient_accumulation_steps=parts, run_eagerly=True)
        history = distiller.fit(TEXTS, SOME, batch_size=7, shuffle=False, verbose=0).history
        found.append((history["loss"], values_of(student)))
    np.testing.assert_allclose(found[1][0], found[0][0], rtol=1e-6)
    for path, value in found[0][1].items():
        np.testing.assert_allclose(found[1][1][path], value, rtol=0, atol=1e-6, err_msg=path)


def test_a_teacher_of_another_vocabulary_and_width_teaches_by_its_probabilities():
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "电", "影", "好", "fine", "bad"]
    tokenizer = keras_bert.BertTokenizer(tokens)
    sizes = {"num_layers": 1, "num_heads": 2, "hidden_dim": 8, "intermediate_dim": 10, "max_sequence_length": 16}
    encoder = keras_bert.BertEncoder(len(tokenizer.vocabulary), **sizes)
    preprocessor = keras_bert.BertPreprocessor(tokenizer, sequence_length=9)
    teacher = with_large_weights(keras_bert.BertClassifier(encoder, preprocessor, labels=LABELS))
    texts = ["fine 电影好", "bad", "", "好" * 100, b"\xff fine\x00", "bad film"]
    student = make_student()
    distiller = one_step(student, teacher, temperature=1.0, alpha=1.0)
    loss = distiller.fit(texts, batch_size=6, verbose=0).history["loss"][0]
    p, q = teacher.predict(texts, verbose=0), student.predict(texts, verbose=0)
    assert loss == pytest.approx((p * np.log(p / q)).sum(axis=1).mean(), rel=1e-4)


def test_pairs_and_ready_inputs(teacher):
    student = make_student()
    distiller = one_step(student, teacher, hidden_weight=1.0)
    others = TEXTS[::-1]
    pairs = distiller.fit((TEXTS, others), SOME, batch_size=7, verbose=0).history["loss"][0]
    assert student.pairs is True and student.answer_inputs() == ("text", "text_pair")
    again = make_student()
    ready = {name: tensor.numpy() for name, tensor in again.preprocessor((TEXTS, others)).items()}
    distiller = one_step(again, teacher, hidden_weight=1.0)
    assert distiller.fit(ready, SOME, batch_size=7, verbose=0).history["loss"][0] == pytest.approx(pairs, rel=1e-5)


def test_what_is_saved_is_the_student(teacher, tmp_path):
    student = teacher.with_layers([0, 3])
    keras_bert.BertDistiller(student, teacher).save_to_preset(tmp_path / "preset")
    again = keras_bert.BertClassifier.from_preset(tmp_path / "preset")
    assert len(again.encoder.blocks) == 2
    np.testing.assert_array_equal(again.predict(TEXTS, verbose=0), student.predict(TEXTS, verbose=0))


def other_student(**arguments):
    sizes = {"num_layers": 2, "num_heads": 3, "hidden_dim": 12, "intermediate_dim": 20, "max_sequence_length": 16}
    tokens = arguments.pop("tokens", VOCABULARY)
    encoder = keras_bert.BertEncoder(len(tokens), **{**sizes, **arguments})
    return keras_bert.BertClassifier(
        encoder, keras_bert.BertPreprocessor(keras_bert.BertTokenizer(tokens), sequence_length=9), labels=LABELS
    )


@pytest.mark.parametrize(
    ("make", "arguments", "message"),
    [
        (lambda: make_classifier(LABELS[::-1]), {}, "same order. Received: ('positive', 'negative') and ('negative',"),
        (lambda: make_classifier(("x",), "regression"), {}, "The student must be a BertClassifier of one label a text. "
         "Received: task='regression'"),
        (lambda: make_classifier().encoder, {}, "The student must be a BertClassifier of one label a text. Received: "
         "BertEncoder"),
        (None, {"temperature": 0}, "`temperature` must be a finite number above 0. Received: 0"),
        (None, {"alpha": 1.5}, "`alpha` must be a finite number from 0 to 1. Received: 1.5"),
        (None, {"alpha": "1"}, "`alpha` must be a finite number from 0 to 1. Received: '1'"),
        (None, {"hidden_weight": -1}, "`hidden_weight` must be a finite number of at least 0. Received: -1"),
        (None, {"hidden_weight": float("inf")}, "of at least 0. Received: inf"),
        (None, {"layers": [4], "hidden_weight": 1.0}, "numbers from 0 to 3. Received: [4]"),
        (None, {"layers": [0, 1], "hidden_weight": 1.0}, "for each of 1. Received: [0, 1]"),
        (lambda: make_classifier(num_layers=5), {"hidden_weight": 1.0}, "`layers` must be at most 4"),
        (lambda: other_student(hidden_dim=9), {"hidden_weight": 1.0}, "equally wide. Received: hidden_dim=9 of the "
         "student, 12 of the teacher. Use hidden_weight=0"),
        (lambda: other_student(tokens=VOCABULARY[:-1]), {"hidden_weight": 1.0}, "read the same tokens. Received: a "
         "student with another tokenizer"),
        (lambda: make_classifier(texts=False), {"hidden_weight": 1.0}, "read the same tokens"),
    ],
)
def test_models_and_numbers_that_do_not_fit_are_refused(teacher, untaught, make, arguments, message):
    student = make() if make else untaught
    with pytest.raises(ValueError, match=re.escape(message)):
        keras_bert.BertDistiller(student, teacher, **arguments)


def test_rows_beyond_the_teachers_positions_are_refused(untaught):
    teacher = other_student(max_sequence_length=9)
    with pytest.raises(ValueError, match="position table. Received: sequence_length=14, max_sequence_length=9"):
        keras_bert.BertDistiller(untaught, teacher, hidden_weight=1.0)


@pytest.mark.parametrize(
    ("x", "y", "arguments", "message"),
    [
        ([], None, {}, "at least one example. Received: an empty list"),
        (TEXTS, NAMES[:3], {}, "`y` must have a row for each text. Received: 3 for 7 texts"),
        (TEXTS, [*NAMES[:6], "good"], {}, "Received: 'good' at index 6"),
        (tf.data.Dataset.from_tensors((TEXTS, INDICES)), None, {}, "so it takes lists. Received: a dataset"),
        (TEXTS, NAMES, {"epochs": 0}, "`epochs` must be above `initial_epoch`. Received: 0 and 0"),
        (TEXTS, NAMES, {"batch_size": 0}, "`batch_size` must be a whole number of at least 1. Received: 0"),
        (TEXTS, NAMES, {"sample_weight": [1.0]}, "`sample_weight` must have a row for each text. Received: 1 for 7"),
        ([1, 2], ["negative"] * 2, {}, "must be strings"),
    ],
)
def test_examples_that_do_not_fit_are_refused(teacher, untaught, x, y, arguments, message):
    distiller = keras_bert.BertDistiller(untaught, teacher)
    with pytest.raises(ValueError, match=re.escape(message)):
        distiller.fit(x, y, verbose=0, **arguments)


def test_nothing_to_learn_is_refused(teacher, untaught):
    distiller = keras_bert.BertDistiller(untaught, teacher, alpha=0.0)
    with pytest.raises(ValueError, match="something to learn. Received: alpha=0 and no labels. Give an"):
        distiller.fit(TEXTS)


def test_weights_in_half_precision_are_refused(teacher):
    sizes = {"num_layers": 1, "num_heads": 3, "hidden_dim": 12, "intermediate_dim": 20, "max_sequence_length": 16}
    encoder = keras_bert.BertEncoder(len(VOCABULARY), dtype="bfloat16", **sizes)
    student = keras_bert.BertClassifier(encoder, teacher.preprocessor, labels=LABELS)
    with pytest.raises(ValueError, match="Weights must be float32 to train"):
        keras_bert.BertDistiller(student, teacher).fit(TEXTS, NAMES)
