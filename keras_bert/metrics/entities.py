"""Entities of tagged words, and their precision, recall and F1 as CoNLL counts them, strictly."""

import collections
from collections.abc import Iterable, Sequence

import keras

# What opens an entity of several words, goes on in it, ends it, and is one of a single word.
SCHEMES = {
    "bio": {"begin": "B", "inside": "I", "end": "", "single": "B"},
    "bioes": {"begin": "B", "inside": "I", "end": "E", "single": "S"},
    "bmes": {"begin": "B", "inside": "M", "end": "E", "single": "S"},
}


def tag_entities(tags: Sequence[str], scheme: str = "bio") -> list[tuple[str, int, int]]:
    """Finds the entities of a sequence of tags; what breaks the rules of the scheme is no entity.

    Args:
        tags: sequence of str, `"O"` or a prefix and a label: `"B-person"`.
        scheme: str, default "bio": an entity is B, then I. "bioes" and "bmes": B, then I or M, then E; S alone.

    Returns:
        List of (label, first word, word after the last).

    Raises:
        ValueError: an unknown scheme, or a tag that is not in it.

    Example:
    >>> keras_bert.metrics.tag_entities(["B-person", "I-person", "O", "B-place"])
    [('person', 0, 2), ('place', 3, 4)]
    """
    if not isinstance(scheme, str) or scheme not in SCHEMES:
        raise ValueError(f"`scheme` must be one of {', '.join(SCHEMES)}. Received: {scheme!r}.")
    if isinstance(tags, (str, bytes)) or not all(isinstance(tag, str) for tag in tags):
        raise ValueError(f"Tags must be a list of str for each text. Received: {tags!r:.80}.")
    marks = SCHEMES[scheme]
    parts = [_parted(tag, marks, scheme) for tag in tags] + [("O", "")]
    entities, first = [], None
    for word, (mark, label) in enumerate(parts):
        goes_on = first is not None and label == parts[first][1] and mark in {marks["inside"], marks["end"]}
        if first is not None and not goes_on:
            if not marks["end"]:
                entities.append((parts[first][1], first, word))
            first = None
        if goes_on and mark == marks["end"]:
            entities.append((label, first, word + 1))
            first = None
        elif mark == marks["begin"]:
            first = word
        elif mark == marks["single"]:
            entities.append((label, word, word + 1))
    return entities


def entity_scores(
    true: Iterable[Sequence], predicted: Iterable[Sequence], scheme: str | None = "bio"
) -> dict[str, float | dict]:
    """Scores predicted entities: right are those whose label, first and last word are all right.

    Args:
        true: iterable over texts of sequences of tags; with `scheme=None` of entities, (label, start, end) or dicts of
            these, as `BertTokenClassifier.predict` gives them.
        predicted: as `true`.
        scheme: str, default "bio". See `tag_entities`.

    Returns:
        dict of `precision`, `recall`, `f1` (0 where nothing was to be found or was found), `support`, the number of
        true entities, and `labels`: for each label a dict of these four.

    Raises:
        ValueError: other numbers of texts or tags, or tags that are not of the scheme.

    Example:
    >>> scores = keras_bert.metrics.entity_scores([["B-person", "O"]], [["B-person", "B-place"]])
    >>> scores["precision"], scores["recall"]
    (0.5, 1.0)

    Reference:
        Tjong Kim Sang and De Meulder, 2003 (https://aclanthology.org/W03-0419).
    """
    true, predicted = list(true), list(predicted)
    if len(true) != len(predicted):
        raise ValueError(f"There must be as many texts. Received: {len(true)} and {len(predicted)}.")
    counts = {part: collections.Counter() for part in ("true", "predicted", "right")}
    for row, (expected, found) in enumerate(zip(true, predicted, strict=True)):
        if scheme is not None:
            if len(expected) != len(found):
                raise ValueError(
                    f"A text must have as many tags. Received: {len(expected)} and {len(found)} in text {row}."
                )
            expected, found = tag_entities(expected, scheme), tag_entities(found, scheme)
        else:
            expected, found = (_checked_entities(part, row) for part in (expected, found))
        expected, found = set(expected), set(found)
        for part, entities in (("true", expected), ("predicted", found), ("right", expected & found)):
            counts[part].update(label for label, _, _ in entities)
    labels = sorted(counts["true"] | counts["predicted"])
    scores = {label: _scores(*(counts[part][label] for part in counts)) for label in labels}
    return {**_scores(*(counts[part].total() for part in counts)), "labels": scores}


class EntityScores(keras.callbacks.Callback):
    """Adds `val_precision`, `val_recall` and `val_f1` of entities to the logs of every epoch of a token classifier.

    Put it before callbacks that read the logs.

    Args:
        words: list of lists of words to evaluate on; or what else `predict_tags` takes.
        tags: list of lists of tags.
        scheme: str, default "bio". See `tag_entities`. Tags that stand for themselves have no entities: their accuracy
            is `fit`'s `val_accuracy`.

    Raises:
        ValueError: tags that are not of the scheme.

    Example:
    >>> tagger.fit(words, tags, callbacks=[keras_bert.metrics.EntityScores(dev_words, dev_tags)])
    """

    def __init__(self, words, tags: Sequence[Sequence[str]], scheme: str = "bio"):
        super().__init__()
        entity_scores(tags, tags, scheme)  # what is wrong with them shows before an epoch is trained
        self.words, self.tags, self.scheme = words, tags, scheme

    def on_epoch_end(self, epoch, logs=None):
        scores = entity_scores(self.tags, self.model.predict_tags(self.words, verbose=0), self.scheme)
        logs.update({f"val_{name}": scores[name] for name in ("precision", "recall", "f1")})


def _checked_entities(entities, row: int) -> list[tuple]:
    found = []
    for entity in entities:
        try:
            parts = tuple(entity[k] for k in ("label", "start", "end")) if isinstance(entity, dict) else tuple(entity)
        except (KeyError, TypeError):
            parts = ()
        if isinstance(entity, str) or len(parts) != 3 or not isinstance(parts[0], str):
            raise ValueError(
                "Without a scheme there must be entities, (label, start, end) or dicts of these. "
                f"Received: {entity!r:.80} in text {row}."
            )
        found.append(parts)
    return found


def _parted(tag: str, marks: dict[str, str], scheme: str) -> tuple[str, str]:
    mark, _, label = tag.partition("-")
    if tag == "O" or (label and mark and mark in marks.values()):
        return mark, label
    known = ", ".join(sorted({f"{mark}-LABEL" for mark in marks.values() if mark}))
    raise ValueError(f"A tag of the scheme {scheme!r} must be O or one of {known}. Received: {tag!r}.")


def _scores(true: int, predicted: int, right: int) -> dict[str, float]:
    return {
        "precision": right / predicted if predicted else 0.0,
        "recall": right / true if true else 0.0,
        "f1": 2 * right / (true + predicted) if true + predicted else 0.0,
        "support": true,
    }
