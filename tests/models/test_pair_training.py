"""What an embedder learns from pairs, against the formulas of sentence-transformers and torch."""

import functools
import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_bert.models.pair_objective import PairAccuracy, PairCorrelation, PairLoss
from tests.embedders import FIRST, SCORES, SECOND, make_embedder

SLICES = tf.data.Dataset.from_tensor_slices
WEIGHTS = [1.0, 0.5, 0.0, 2.0, 1.0]


def random_embeddings(rows=5, seed=2):
    return np.random.default_rng(seed).normal(size=(rows, 2, 7)).astype("float32")


def losses_of(torch, embeddings, labels, temperature):
    """Each pair's loss, by torch, and the tensor whose gradient is asked for."""
    found = torch.tensor(embeddings, requires_grad=True)
    if labels is None:
        units = torch.nn.functional.normalize(found, dim=-1)
        scores = units[:, 0] @ units[:, 1].T / temperature
        return torch.nn.functional.cross_entropy(scores, torch.arange(len(scores)), reduction="none"), found
    cosine = torch.cosine_similarity(found[:, 0], found[:, 1])
    return torch.nn.functional.mse_loss(cosine, torch.tensor(labels), reduction="none"), found


@pytest.mark.parametrize("labels", [None, SCORES], ids=["in the batch", "scores"])
def test_losses_and_gradients_are_torchs(labels):
    torch = pytest.importorskip("torch")
    embeddings = random_embeddings()
    expected, theirs = losses_of(torch, embeddings, labels, temperature=0.1)
    (expected * torch.tensor(WEIGHTS)).sum().backward()
    ours = tf.constant(embeddings)
    y = tf.ones((5,), tf.int32) if labels is None else tf.constant(labels)
    with tf.GradientTape() as tape:
        tape.watch(ours)
        losses = PairLoss(0.1).call(y, ours)
        total = tf.reduce_sum(losses * WEIGHTS)
    np.testing.assert_allclose(losses, expected.detach(), atol=1e-5)
    np.testing.assert_allclose(tape.gradient(total, ours), theirs.grad, atol=1e-5)
    assert np.abs(theirs.grad.numpy()).max() > 0.1


def test_the_loss_of_pairs_without_scores_is_that_of_sentence_transformers():
    torch = pytest.importorskip("torch")
    losses = pytest.importorskip("sentence_transformers.losses")
    embeddings = random_embeddings()
    theirs = losses.MultipleNegativesRankingLoss(None)
    assert theirs.scale == 20
    parts = [torch.tensor(embeddings[:, i]) for i in range(2)]
    expected = float(theirs.compute_loss_from_embeddings(parts, None))
    found = PairLoss().call(tf.ones((5,), tf.int32), tf.constant(embeddings))
    assert float(tf.reduce_mean(found)) == pytest.approx(expected, rel=1e-5)


def test_pairs_that_fill_a_batch_up_are_no_negatives():
    embeddings = random_embeddings()
    filled = tf.constant(np.concatenate([embeddings, 0 * embeddings[:2]]))
    expected = PairLoss().call(tf.ones((5,), tf.int32), tf.constant(embeddings))
    found = PairLoss().call(tf.constant([1] * 5 + [0] * 2), filled)
    np.testing.assert_allclose(found[:5], expected, atol=1e-6)


def test_metrics_count_their_own_kind_of_pairs():
    embeddings = random_embeddings(9)
    units = embeddings / np.linalg.norm(embeddings, axis=-1, keepdims=True)
    scores = np.linspace(-0.5, 0.9, 9).astype("float32")
    accuracy, pearson = PairAccuracy(), PairCorrelation()
    for metric in (accuracy, pearson):
        metric.update_state(tf.ones((9,), tf.int32), tf.constant(embeddings))
        metric.update_state(tf.constant(scores), tf.constant(embeddings))
    closest = (units[:, 0] @ units[:, 1].T).argmax(axis=1)
    assert float(accuracy.result()) == pytest.approx((closest == np.arange(9)).mean())
    expected = np.corrcoef((units[:, 0] * units[:, 1]).sum(axis=-1), scores)[0, 1]
    assert float(pearson.result()) == pytest.approx(expected, abs=1e-5)


def fitted(x, y=None, **kwargs):
    embedder = make_embedder(num_layers=1)
    embedder.compile(learning_rate=0.001, warmup=0.0, run_eagerly=True)
    settings = {"batch_size": 3, "shuffle": False, "verbose": 0, **kwargs}
    return embedder.fit(x, y, **settings).history, embedder


def assert_same_history(one, other):
    assert set(one) == set(other)
    for name, values in one.items():
        assert values == pytest.approx(other[name], rel=1e-4, abs=1e-5), name


def assert_same(one, other):
    assert_same_history(one[0], other[0])
    for a, b in zip(one[1].trainable_variables, other[1].trainable_variables, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5, err_msg=a.path)


def ready():
    embedder = make_embedder(num_layers=1)
    sides = [embedder.preprocessor.pack(embedder.preprocessor.tokenize(side), "fixed") for side in (FIRST, SECOND)]
    return {name: np.stack([side[name] for side in sides], 1) for name in sides[0]}


PAIRS = (FIRST, SECOND)
# What is passed for x, made when it is needed, and whether with scores.
FORMS = {
    "dataset": (lambda: SLICES(PAIRS), False),
}
SLOW_FORMS = {
    "ready dataset with scores": (lambda: SLICES((ready(), SCORES)).batch(3), True),
    "list of pairs": (lambda: list(zip(*PAIRS, strict=True)), False),
    "ready inputs": (ready, False),
    "dataset in a tuple": (lambda: SLICES((PAIRS,)).batch(3), False),
    "ready dataset": (lambda: SLICES(ready()), False),
    "list of pairs with scores": (lambda: list(zip(*PAIRS, strict=True)), True),
    "ready inputs with scores": (ready, True),
    "dataset with scores": (lambda: SLICES((PAIRS, SCORES)), True),
}


@pytest.fixture(scope="module")
def from_lists():
    return functools.cache(lambda scored: fitted(PAIRS, SCORES if scored else None))


@pytest.mark.parametrize("form", [*FORMS, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW_FORMS)])
def test_all_forms_of_pairs_train_alike(from_lists, form):
    make, scored = (FORMS | SLOW_FORMS)[form]
    assert set(from_lists(scored)[0]) == {"loss", "pearson" if scored else "accuracy"}
    x = make()
    has_own = isinstance(x, tf.data.Dataset) or not scored
    assert_same(fitted(x, None if has_own else SCORES), from_lists(scored))


@pytest.mark.slow
def test_the_loss_of_a_fit_is_the_weighted_mean_over_its_batches():
    torch = pytest.importorskip("torch")
    embedder = make_embedder(num_layers=1)
    embeddings = np.stack([embedder.predict(side, verbose=0) for side in (FIRST, SECOND)], axis=1)
    for y in (None, SCORES):
        parts = [slice(0, 3), slice(3, 5)]
        losses = [losses_of(torch, embeddings[p], y and y[p], 0.05)[0].detach().numpy() for p in parts]
        expected = (np.concatenate(losses) * WEIGHTS).sum() / sum(WEIGHTS)
        found = embedder.evaluate((FIRST, SECOND), y, batch_size=3, sample_weight=WEIGHTS, verbose=0)
        assert found[0] == pytest.approx(expected, rel=1e-4)


@pytest.mark.slow
def test_scores_are_learned_in_parts_as_at_once():
    results = []
    for parts in (1, 2):
        embedder = make_embedder(num_layers=1)
        embedder.compile(keras.optimizers.SGD(0.5), gradient_accumulation_steps=parts, run_eagerly=True)
        history = embedder.fit((FIRST, SECOND), SCORES, batch_size=5, verbose=0, sample_weight=WEIGHTS, shuffle=False)
        results.append(({"loss": history.history["loss"]}, embedder))
    assert_same(*results)


def test_training_is_validated_on_pairs_with_scores_or_without():
    pairs = PAIRS
    for validation_data, name in (((pairs, SCORES), "val_pearson"), (pairs, "val_accuracy")):
        history, embedder = fitted(pairs, batch_size=5, validation_data=validation_data)
        assert set(history) == {"loss", "accuracy", "val_loss", name}
    expected = embedder.evaluate(pairs, batch_size=5, verbose=0, return_dict=True)
    assert history["val_loss"][-1] == pytest.approx(expected["loss"], rel=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("y", [None, SCORES], ids=["in the batch", "scores"])
def test_a_split_is_training_on_the_first_and_validation_on_the_last(y):
    history, _ = fitted((FIRST, SECOND), y, validation_split=0.4)
    held_out = (FIRST[3:], SECOND[3:]), y and y[3:]
    given, _ = fitted((FIRST[:3], SECOND[:3]), y and y[:3], validation_data=held_out)
    assert_same_history(history, given)


def test_a_small_model_learns_which_texts_belong_together():
    words = {"film": "story", "good": "fine", "bad": "bore", "day": "long", "it": "the"}
    first = [f"{a} {b}" for a, b in itertools.combinations(words, 2)]
    second = [f"{words[b]} {words[a]}" for a, b in itertools.combinations(words, 2)]
    embedder = make_embedder(num_layers=1)

    def accuracy():
        best = embedder.search(first, embedder.predict(second, verbose=0), top_k=1)
        return np.mean([found[0]["index"] == row for row, found in enumerate(best)])

    assert accuracy() < 0.5
    embedder.compile(keras.optimizers.Adam(0.02), run_eagerly=True)
    history = embedder.fit(SLICES((first, second)).batch(10).repeat(16), verbose=0).history
    assert accuracy() > 0.9
    assert set(history) == {"loss", "accuracy"}


@pytest.mark.parametrize(
    ("x", "y", "settings", "message"),
    [
        (FIRST, None, {}, "must be pairs of texts, .a, b.. Received: single texts"),
        (FIRST, SCORES, {}, "must be pairs of texts, .a, b.. Received: single texts"),
        ((FIRST, SECOND[1:]), None, {}, "as many texts. Received: 5 and 4"),
        (([], []), None, {}, "at least one example. Received: an empty list"),
        ((FIRST, SECOND), [5.0, 1, 2, 3, 4], {}, "from -1 to 1, as cosines are. Received: 5.0 at index 0. Divide"),
        ((FIRST, SECOND), [0.5, float("nan"), 0, 0, 0], {}, "from -1 to 1.* Received: nan at index 1"),
        ((FIRST, SECOND), ["a"] * 5, {}, "Scores must be numbers from -1 to 1.* Received: "),
        ((FIRST, SECOND), [0.5], {}, "`y` must have a row for each text. Received: 1 for 5"),
        ((FIRST, SECOND), None, {"sample_weight": [1.0]}, "`sample_weight` must have a row .* Received: 1 for 5"),
        ((FIRST, SECOND), None, {"class_weight": {0: 1}}, "Pairs have no classes"),
        (SLICES(FIRST), None, {}, "A dataset must give pairs of texts"),
        (SLICES((FIRST, SCORES)), None, {}, "A dataset must give pairs of texts"),
        (SLICES((FIRST, SECOND)), SCORES, {}, "must come with the dataset"),
        (SLICES((FIRST, SECOND)), None, {"validation_split": 0.5}, "needs texts or arrays. Received: a dataset"),
        ({"token_ids": np.ones((2, 3))}, None, {}, "must hold token_ids, segment_ids, padding_mask"),
    ],
)  # fmt: skip
def test_pairs_that_cannot_be_used_are_refused(x, y, settings, message):
    with pytest.raises(ValueError, match=message):
        make_embedder(num_layers=1).fit(x, y, verbose=0, **settings)


def test_scores_in_a_dataset_are_checked_too():
    dataset = SLICES(((FIRST, SECOND), [5.0, 1, 2, 3, 4]))
    with pytest.raises(tf.errors.InvalidArgumentError, match="from -1 to 1, as cosines are"):
        make_embedder(num_layers=1).evaluate(dataset, verbose=0)


def test_ready_rows_that_are_no_pairs_are_refused():
    embedder = make_embedder(num_layers=1)
    for x in (embedder.preprocessor(FIRST), {name: part[:, :1] for name, part in ready().items()}):
        with pytest.raises(ValueError, match=r"must have one shape, \(rows, 2, tokens\)"):
            embedder.fit({name: np.asarray(part) for name, part in x.items()}, verbose=0)


def test_pairs_without_scores_are_not_learned_in_parts():
    embedder = make_embedder(num_layers=1)
    embedder.compile(gradient_accumulation_steps=2)
    with pytest.raises(ValueError, match="learn from the whole batch.* Received: gradient_accumulation_steps=2"):
        embedder.fit((FIRST, SECOND))
