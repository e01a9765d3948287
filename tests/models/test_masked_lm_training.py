"""BertMaskedLM learns from raw texts: the same masks for the same seed and step, others in every epoch."""

import numpy as np
import pytest
import tensorflow as tf

import keras_bert
from keras_bert.data.epochs import endless
from keras_bert.data.masked_rows import cut_rows, masked_epochs
from tests.masked import PLAIN, VOCABULARY, make_masked_lm

MASK = VOCABULARY.index("[MASK]")
LONG = ["a b c d e f g h " * 5, "", "bk a . c", "h", "中国 d e", "a b c d e f g h a b c d", " "]
SLICES = tf.data.Dataset.from_tensor_slices


def epochs_of(texts, seed=(0, 0), batch_size=3, shuffle=True, **arguments):
    how = {"mask_rate": 0.3, "mask_unit": "token", **arguments}
    of_epoch = masked_epochs(texts, make_preprocessor(), seed=seed, batch_size=batch_size, **how)
    return lambda epoch, _=None: of_epoch(epoch, (seed[0], 0) if shuffle else None)


def make_preprocessor():
    return keras_bert.BertPreprocessor(keras_bert.BertTokenizer(VOCABULARY), sequence_length=14)


def numpy(dataset):
    return [tf.nest.map_structure(lambda part: part.numpy(), batch) for batch in dataset]


def assert_equal(one, other):
    tf.nest.map_structure(np.testing.assert_array_equal, one, other)


def original(inputs, ids, weights):
    """The rows before their tokens were hidden."""
    rows = inputs["token_ids"].copy()
    row, slot = np.nonzero(weights)
    rows[row, inputs["mask_positions"][row, slot]] = ids[row, slot]
    return [tuple(row[mask > 0].tolist()) for row, mask in zip(rows, inputs["padding_mask"], strict=True)]


def rows_of(batches):
    return [row for batch in batches for row in original(*batch)]


def expected_rows():
    """A plain cutting of `LONG`."""
    ids = [row for row in make_preprocessor().tokenizer(LONG).to_list() if row]
    return [(2, *row[low : low + 12], 3) for row in ids for low in range(0, len(row), 12)]


@pytest.mark.parametrize("texts", [LONG, np.array(LONG), SLICES(LONG), SLICES(LONG).batch(2)])
def test_every_token_of_every_text_is_in_a_row(texts):
    batches = numpy(epochs_of(texts, shuffle=False)(0))
    assert rows_of(batches) == expected_rows()
    assert [len(ids) for _, ids, _ in batches] == [3, 3, 2]
    assert sum(weights.sum() for _, _, weights in batches) > 3
    for inputs, ids, weights in batches:
        assert inputs["token_ids"].shape[1] == inputs["padding_mask"].sum(1).max()  # no wider than the longest
        assert ids.shape[1] == max(1, weights.sum(1).max())


def test_an_epoch_is_a_function_of_the_seed():
    first, second = (numpy(epochs_of(LONG)(epoch)) for epoch in (0, 1))
    assert_equal(numpy(epochs_of(LONG)(0)), first)
    assert rows_of(first) != rows_of(second)
    assert sorted(rows_of(first)) == sorted(rows_of(second)) == sorted(expected_rows())
    in_order = [numpy(epochs_of(LONG, shuffle=False, seed=seed)(epoch)) for seed, epoch in (((0, 0), 0), ((0, 0), 1),
                ((1, 0), 0), ((0, 1), 0))]  # fmt: skip
    hidden = [np.concatenate([np.ravel(inputs["mask_positions"]) for inputs, _, _ in found]) for found in in_order]
    assert len({part.tobytes() for part in hidden}) == 4
    one, other = (numpy(epochs_of(SLICES(LONG))(epoch)) for epoch in (0, 1))
    assert_equal(numpy(epochs_of(SLICES(LONG))(0)), one)
    assert rows_of(one) == rows_of(other)
    assert one[0][0]["mask_positions"].tolist() != other[0][0]["mask_positions"].tolist()


@pytest.mark.parametrize("texts", [LONG, SLICES(LONG)])
@pytest.mark.parametrize("step", [2, 7])
def test_a_training_begins_at_any_step(texts, step):
    of_epoch = epochs_of(texts)
    whole = numpy(of_epoch(0)) + numpy(of_epoch(1)) + numpy(of_epoch(2)) + numpy(of_epoch(3))
    assert_equal(numpy(endless(of_epoch, step).take(4)), whole[step : step + 4])


@pytest.mark.parametrize("unit", ["whole_word", "span"])
def test_words_are_hidden_whole(unit):
    batches = numpy(epochs_of(["a bkl b ckk bk h"] * 300, mask_unit=unit, batch_size=300, mask_rate=0.4)(0))
    ((inputs, ids, weights),) = batches
    rows = np.array(original(inputs, ids, weights))
    hidden = np.zeros(rows.shape, bool)
    row, slot = np.nonzero(weights)
    hidden[row, inputs["mask_positions"][row, slot]] = True
    goes_on = np.isin(rows, [VOCABULARY.index(token) for token in ("##k", "##l")])
    np.testing.assert_array_equal(hidden[:, 1:][goes_on[:, 1:]], hidden[:, :-1][goes_on[:, 1:]])
    assert 0.1 < hidden[goes_on].mean() < 0.5
    shown = inputs["token_ids"][hidden]
    assert 0.7 < (shown == MASK).mean() < 0.9


def test_rows_of_a_text_are_full_but_the_last():
    ids = tf.ragged.constant([[1, 2, 3, 4, 5], [], [6], [7, 8]], dtype=tf.int32)
    assert cut_rows(ids, 2).to_list() == [[1, 2], [3, 4], [5], [6], [7, 8]]


def data_of_fit(x, model=None, **options):
    """The batches that a `fit` trains on, in order; nothing is learned."""
    model, seen = model or make_masked_lm(num_layers=1), []
    model.compile(run_eagerly=True)
    model.train_step = lambda data: (seen.append(data), model.test_step(data))[1]
    history = model.fit(x, **{"batch_size": 3, "epochs": 2, "verbose": 0, **options}).history
    return numpy(seen), history


def test_every_epoch_of_a_training_has_masks_of_its_own():
    of_epoch = epochs_of(LONG, mask_rate=0.15)
    whole, _ = data_of_fit(LONG)
    assert_equal(whole, numpy(of_epoch(0)) + numpy(of_epoch(1)))
    assert_equal(data_of_fit(LONG, initial_epoch=1)[0], whole[3:])
    assert_equal(data_of_fit(LONG, shuffle=False)[0][0], numpy(epochs_of(LONG, mask_rate=0.15, shuffle=False)(0))[0])
    other, _ = data_of_fit(LONG, model=make_masked_lm(num_layers=1, seed=1))
    assert_equal(other[:3], numpy(epochs_of(LONG, mask_rate=0.15, seed=(1, 0))(0)))
    assert rows_of(other) != rows_of(whole)


@pytest.mark.parametrize("texts", [LONG, SLICES(LONG), SLICES(LONG).repeat()], ids=["list", "dataset", "endless"])
def test_steps_of_the_users_own_number_go_through_the_texts_again(texts):
    seen, _ = data_of_fit(texts, steps_per_epoch=4)
    assert len(seen) == 8
    rows = rows_of(seen)[:8] if texts is LONG else rows_of(seen)
    assert set(rows) == set(expected_rows())
    late, _ = data_of_fit(texts, steps_per_epoch=4, initial_epoch=1)
    assert_equal(late, seen[4:])


def test_held_out_texts_have_the_same_masks_every_time():
    model = make_masked_lm(num_layers=1)
    options = {"model": model, "batch_size": 2}
    _, found = data_of_fit(LONG, validation_data=PLAIN, **options)
    assert found["val_loss"][0] == found["val_loss"][1] > 0
    judged = model.evaluate(PLAIN, batch_size=2, verbose=0, return_dict=True)
    assert judged == pytest.approx({name: found[f"val_{name}"][0] for name in ("loss", "accuracy")}, abs=1e-6)
    _, split = data_of_fit([*LONG, *PLAIN[:3]], validation_split=0.3, **options)
    judged = model.evaluate(PLAIN[:3], batch_size=2, verbose=0, return_dict=True)
    assert judged["loss"] == pytest.approx(split["val_loss"][0], abs=1e-6)


def test_rows_that_are_masked_already_train_as_they_are():
    rng = np.random.default_rng(0)
    ready = {name: part.numpy() for name, part in make_preprocessor()(PLAIN).items()}
    ready |= {"mask_positions": rng.integers(1, 3, (5, 2)), "mask_ids": rng.integers(5, 20, (5, 2))}
    ready["mask_weights"] = np.array([[1, 0], [1, 1], [0, 0], [0.5, 1], [1, 1]])
    expected = [slice(0, 3), slice(3, 5)] * 2
    for x in (ready, SLICES(ready), SLICES(ready).batch(3)):
        seen, _ = data_of_fit(x, shuffle=False)
        for (inputs, ids, weights), rows in zip(seen, expected, strict=True):
            assert set(inputs) == {"token_ids", "segment_ids", "padding_mask", "mask_positions"}
            for name, part in {**inputs, "mask_ids": ids, "mask_weights": weights}.items():
                np.testing.assert_array_equal(part, ready[name][rows])
    seen, history = data_of_fit(ready, validation_split=0.4, batch_size=2)
    assert [len(ids) for _, ids, _ in seen] == [2, 1, 2, 1] and len(history["val_loss"]) == 2


@pytest.mark.slow
def test_xla_gives_the_losses_and_answers():
    models = [make_masked_lm(num_layers=1) for _ in range(2)]
    losses = []
    for model, jit_compile in zip(models, (False, True), strict=True):
        model.compile(learning_rate=0.01, jit_compile=jit_compile)
        losses.append(model.fit(LONG, batch_size=3, epochs=2, verbose=0, shuffle=False).history["loss"])
    texts = ["a [MASK] b", "[MASK] [MASK] [MASK] c"]
    for model in models:
        found = model.predict(texts, verbose=0), model.pseudo_perplexity(PLAIN, verbose=0)
        assert len(found[0][1]) == 3 and np.isfinite(found[1]).all()
    model.set_weights(models[0].get_weights())
    (plain, plain_values), (compiled, compiled_values) = (
        (m.predict(texts, verbose=0), m.pseudo_perplexity(PLAIN, verbose=0)) for m in models
    )
    np.testing.assert_allclose(plain_values, compiled_values, rtol=1e-4)
    scores = ([f["score"] for masks in found for mask in masks for f in mask] for found in (plain, compiled))
    np.testing.assert_allclose(*scores, atol=1e-5)


@pytest.mark.slow
def test_adaptation_lowers_the_held_out_loss_of_real_texts(shared_data):
    lines = (shared_data / "sst2" / "train.tsv").read_text(encoding="utf-8").splitlines()
    texts = [line.split("\t")[0] for line in lines[:2400]]
    model = keras_bert.BertMaskedLM.from_preset("novels_mini_en_uncased", sequence_length=64)
    before = model.evaluate(texts[2000:], verbose=0, return_dict=True)
    model.compile(learning_rate=3e-4)
    model.fit(texts[:2000], epochs=2, verbose=0)
    after = model.evaluate(texts[2000:], verbose=0, return_dict=True)
    print(before, after)
    assert after["loss"] < before["loss"] - 0.3
    assert after["accuracy"] > before["accuracy"]


def test_it_learns_a_text_by_heart():
    text = "a b c d e f g h a b c d"
    model = make_masked_lm(num_layers=1)
    model.compile(learning_rate=2e-2)
    history = model.fit([text] * 256, batch_size=32, epochs=6, validation_data=[text] * 32, verbose=0).history
    assert history["val_loss"][-1] < 0.3 * history["val_loss"][0]
    guesses = model.predict([text[:i] + "[MASK]" + text[i + 1 :] for i in range(0, 23, 2)], top_k=1, verbose=0)
    right = [mask["token"] == token for ((mask,),), token in zip(guesses, text.split(), strict=True)]
    assert np.mean(right) > 0.7


READY = {name: np.ones((2, 3), int) for name in ("token_ids", "segment_ids", "padding_mask")}
MASKED = {name: np.ones((2, 1), int) for name in ("mask_positions", "mask_ids", "mask_weights")}


@pytest.mark.parametrize(
    ("x", "options", "message"),
    [
        ([], {}, "There must be a text with a token. Received: 0 texts"),
        (["", " ", "\u200b"], {}, "There must be a text with a token. Received: 3 texts, none with one"),
        (SLICES(["", " "]), {}, "There must be at least one example. Received: a dataset without any"),
        (SLICES(["", " "]), {"steps_per_epoch": 2}, "at least one example. Received: a dataset without any"),
        (SLICES(["a"]).repeat(), {}, "An endless dataset needs `steps_per_epoch`"),
        (SLICES([1.0]), {}, "must give texts, or dicts of rows that are masked. Received: TensorSpec"),
        (SLICES((["a"], ["b"])), {}, "must give texts, or dicts of rows that are masked"),
        (["a", "b"], {"y": [0, 1]}, "Masked tokens are their own labels. Received: `y`"),
        (["a", "b"], {"sample_weight": [1.0, 1.0]}, "Masked tokens are their own labels"),
        (["a", "b"], {"class_weight": {0: 1.0}}, "Masked tokens are their own labels"),
        (["a", "b"], {"validation_data": (["a"], ["b"])}, "Masked tokens are their own labels"),
        ((["a"], ["b"]), {}, "must be single texts. Received: pairs"),
        (["a", 3], {}, "must be strings. Received: 3"),
        (["a", "b"], {"validation_split": 0.6}, "must leave examples on both sides. Received: 0.6 of 2 texts"),
        (SLICES(["a", "b"]), {"validation_split": 0.5}, "`validation_split` needs texts or arrays"),
        (["a"], {"batch_size": 0}, "`batch_size` must be a whole number of at least 1"),
        (["a"], {"epochs": 0}, "`epochs` must be above `initial_epoch`"),
        (READY, {}, "must hold .*mask_weights. Received: token_ids, .* Add mask_positions, mask_ids, mask_weights."),
        (SLICES(READY), {}, "Add mask_positions, mask_ids, mask_weights."),
        ({**READY, **MASKED, "mask_ids": np.ones((2, 2), int)}, {}, r"another, \(rows, predictions\). Received: "),
        ({**READY, **MASKED, "segment_ids": np.ones((3, 3), int)}, {}, "must have one shape"),
        ({**READY, **MASKED, "mask_positions": [[0], [3]]}, {}, "must be 0 to 2, places in a row. Received: 0 to 3"),
    ],
)
def test_what_cannot_be_learned_from_is_named(x, options, message):
    with pytest.raises(ValueError, match=message):
        make_masked_lm(num_layers=1).fit(x, verbose=0, **options)
