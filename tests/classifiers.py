"""The classifier that tests are made with: so small that it takes no time, its weights so large that each counts."""

import keras
import numpy as np

import keras_bert

VOCABULARY = [
    *(
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        "a",
        "bad",
        "bore",
        "day",
        "film",
        "fine",
        "good",
        "is",
        "it",
    ),
    *("long", "no", "not", "of", "story", "the", "##s"),
]
TEXTS = ["a fine film", "a bad film", "good", "it is not a good story of the long day", "bore", "no", "films"]
NAMES = ["positive", "negative", "positive", "negative", "negative", "negative", "positive"]
INDICES = [1, 0, 1, 0, 0, 0, 1]


def make_preprocessor(sequence_length=14):
    """The longest of `TEXTS`, 10 words and two special tokens, fits."""
    return keras_bert.BertPreprocessor(keras_bert.BertTokenizer(VOCABULARY), sequence_length=sequence_length)


def make_classifier(
    labels=("negative", "positive"),
    task="single_label",
    *,
    num_layers=1,
    dropout=0.0,
    texts=True,
    **arguments,
):
    """A `BertClassifier`, the same one each time. Without `texts` it has no preprocessor."""
    keras.utils.set_random_seed(0)
    encoder = keras_bert.BertEncoder(
        vocabulary_size=len(VOCABULARY),
        num_layers=num_layers,
        num_heads=3,
        hidden_dim=12,
        intermediate_dim=20,
        max_sequence_length=16,
        dropout=dropout,
    )
    preprocessor = make_preprocessor() if texts else None
    classifier = keras_bert.BertClassifier(encoder, preprocessor, labels=labels, task=task, **arguments)
    return with_large_weights(classifier)


def with_large_weights(model, scale=0.4):
    """The model, its weights so large that each counts, the same each time."""
    rng = np.random.default_rng(1)
    for weight in model.weights:
        is_scale = weight.path.endswith("gamma")
        weight.assign(rng.normal(float(is_scale), 0.1 if is_scale else scale, weight.shape))
    return model


def scores_of(classifier, texts):
    """What `predict` should give, by a plain call of the model."""
    logits = classifier(classifier.preprocessor(texts), training=False)
    return keras.ops.convert_to_numpy(classifier.activate(logits))


def values_of(classifier):
    """The trainable weights, by path."""
    return {v.path: v.value.numpy() for v in classifier.trainable_variables}
