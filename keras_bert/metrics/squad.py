"""Exact match and F1 of SQuAD 1.1 and 2.0, as the published evaluations define them."""

import collections
import math
import numbers
import re
import string
from collections.abc import Callable

import keras

_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLES = re.compile(r"\b(a|an|the)\b")


def squad_scores(
    dataset: dict, predictions: dict[str, str], no_answer_scores: dict[str, float] | None = None
) -> dict[str, float]:
    """Scores answers to the questions of a SQuAD file; the version is seen from the file.

    Answers are compared without case, ASCII punctuation and the words a, an and the; of several references the best
    counts. A question without a prediction counts 0.

    Args:
        dataset: dict, the content of an official JSON file: 2.0 where a question has `is_impossible`, else 1.1.
        predictions: dict of question id to answer text, "" for no answer.
        no_answer_scores: dict of question id to float, optional. The higher, the less it looks answerable; finds the
            best threshold of a 2.0 file.

    Returns:
        dict of `exact_match` and `f1`, in percent, and `total`, a count. For 2.0 also `has_answer_exact_match`,
        `has_answer_f1`, `has_answer_total` and the same for `no_answer`; with `no_answer_scores`
        `best_exact_match`, `best_exact_match_threshold`, `best_f1` and `best_f1_threshold`: an answer is given where
        the score is at most the threshold.

    Raises:
        ValueError: a file of another structure, no question, or scores that leave out a question.

    Example:
    >>> question = {"id": "1", "question": "Who?", "answers": [{"text": "the cat", "answer_start": 0}]}
    >>> dataset = {"data": [{"title": "", "paragraphs": [{"context": "the cat sat", "qas": [question]}]}]}
    >>> keras_bert.metrics.squad_scores(dataset, {"1": "Cat!"})
    {'exact_match': 100.0, 'f1': 100.0, 'total': 1}

    Reference:
        https://rajpurkar.github.io/SQuAD-explorer/, the evaluation scripts of 1.1 and 2.0.
    """
    questions = squad_questions(dataset)
    has_no_answers = any("is_impossible" in question for question in questions)
    overlap = _overlap_2_0 if has_no_answers else _overlap_1_1
    answerable = {question["id"]: bool(question["answers"]) for question in questions}
    _check_predictions(answerable, predictions)
    exact = {question["id"]: _best(question, predictions, _is_exact) for question in questions}
    f1 = {question["id"]: _best(question, predictions, overlap) for question in questions}

    scores = {"exact_match": _percent(exact.values()), "f1": _percent(f1.values()), "total": len(questions)}
    if not has_no_answers:
        return scores
    for group, is_answerable in (("has_answer", True), ("no_answer", False)):
        ids = [question for question, known in answerable.items() if known == is_answerable]
        if ids:
            scores[f"{group}_exact_match"] = _percent([exact[question] for question in ids])
            scores[f"{group}_f1"] = _percent([f1[question] for question in ids])
            scores[f"{group}_total"] = len(ids)
    if no_answer_scores is not None:
        missing = [question for question in answerable if not _is_number(no_answer_scores.get(question))]
        if missing:
            raise ValueError(
                "`no_answer_scores` must have a number for each question. "
                f"Received: none for {len(missing)}, {missing[0]!r} among them."
            )
        for name, points in (("exact_match", exact), ("f1", f1)):
            best, threshold = _best_threshold(points, answerable, predictions, no_answer_scores)
            scores[f"best_{name}"], scores[f"best_{name}_threshold"] = best, threshold
    return scores


def squad_questions(dataset: dict) -> list[dict]:
    """Lists the questions of a SQuAD file, each with its context.

    Args:
        dataset: dict, the content of an official JSON file.

    Returns:
        List of dicts: `id`, `question`, `context`, `answers`, and in 2.0 `is_impossible`.

    Raises:
        ValueError: a file of another structure, without questions, or with an id twice.

    Example:
    >>> questions = keras_bert.metrics.squad_questions(dataset)
    >>> labeler.predict([(question["question"], question["context"]) for question in questions])
    """
    try:
        found = [
            {"answers": [], **question, "context": paragraph["context"]}
            for article in dataset["data"]
            for paragraph in article["paragraphs"]
            for question in paragraph["qas"]
        ]
        counts = collections.Counter(question["id"] for question in found)
        for question in found:
            _check_question(question)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            "`dataset` must be SQuAD's structure: data, paragraphs with a context, qas, each with an id. "
            f"Received: one where {error!r}. Give the whole content of the file."
        ) from error
    repeated = [name for name, count in counts.items() if count > 1]
    if not found or repeated:
        what = f"the id {repeated[0]!r} twice" if repeated else "no question"
        raise ValueError(f"`dataset` must hold questions, each with an id of its own. Received: {what}.")
    return found


def _check_question(question: dict) -> None:
    texts = [question.get("question", ""), question["context"], *(answer["text"] for answer in question["answers"])]
    wrong = next((text for text in texts if not isinstance(text, str)), None)
    if wrong is not None or None in texts:
        raise TypeError(f"{wrong!r:.40} stands for a text in the question {question['id']!r}")


def _check_predictions(ids, predictions) -> None:
    if not isinstance(predictions, dict):
        raise ValueError(f"`predictions` must be a dict of id to answer. Received: {predictions!r:.80}.")
    wrong = next((name for name, answer in predictions.items() if not isinstance(answer, str)), None)
    if wrong is not None or None in predictions:
        raise ValueError(
            f"Predictions must be the texts of answers. Received: {predictions[wrong]!r:.80} for {wrong!r}. "
            'Of what `predict` gives, take record["answer"].'
        )
    if predictions and not any(name in predictions for name in ids):
        raise ValueError(
            f"`predictions` must be by the ids of the questions. Received: {next(iter(predictions))!r}, for example; "
            f"the questions have ids such as {next(iter(ids))!r}."
        )


class SquadScores(keras.callbacks.Callback):
    """Adds `val_exact_match` and `val_f1`, in percent, to the logs of every epoch of a span labeler's `fit`.

    For a 2.0 file both are those at the best threshold, and `no_answer_threshold` is the one of F1. Put it before
    callbacks that read the logs.

    Args:
        dataset: dict, the content of an official JSON file to evaluate on.

    Example:
    >>> labeler.fit((questions, contexts), answers, callbacks=[keras_bert.metrics.SquadScores(dataset)])
    """

    def __init__(self, dataset: dict):
        super().__init__()
        self.dataset, self.questions = dataset, squad_questions(dataset)
        silent = next((question["id"] for question in self.questions if "question" not in question), None)
        if silent is not None:
            raise ValueError(f"`dataset` must hold the questions' texts. Received: none for {silent!r}.")

    def on_epoch_end(self, epoch, logs=None):
        scores = self.scores()
        best = "best_f1" in scores
        logs["val_exact_match"] = scores["best_exact_match" if best else "exact_match"]
        logs["val_f1"] = scores["best_f1" if best else "f1"]
        if best:
            logs["no_answer_threshold"] = scores["best_f1_threshold"]

    def scores(self) -> dict[str, float]:
        """Gives what `squad_scores` says of the model as it is, whatever its threshold."""
        kept, self.model.no_answer_threshold = self.model.no_answer_threshold, math.inf
        try:
            pairs = [(question["question"], question["context"]) for question in self.questions]
            records = self.model.predict(pairs, verbose=0)
        finally:
            self.model.no_answer_threshold = kept
        found = {question["id"]: record for question, record in zip(self.questions, records, strict=True)}
        answers = {name: record["answer"] for name, record in found.items()}
        none = {name: record["no_answer_score"] for name, record in found.items()}
        is_2_0 = any("is_impossible" in question for question in self.questions)
        return squad_scores(self.dataset, answers, none if is_2_0 else None)


def _is_number(score) -> bool:
    return isinstance(score, numbers.Real) and not math.isnan(score)


def _best(question: dict, predictions: dict[str, str], compare: Callable[[str, str], float]) -> float:
    if question["id"] not in predictions:
        return 0.0
    references = [_normalize(answer["text"]) for answer in question["answers"]]
    if "is_impossible" in question:
        references = [text for text in references if text] or [""]
    prediction = _normalize(predictions[question["id"]])
    return max((float(compare(prediction, text)) for text in references), default=0.0)


def _normalize(text: str) -> str:
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def _is_exact(prediction: str, reference: str) -> bool:
    return prediction == reference


def _overlap_1_1(prediction: str, reference: str) -> float:
    predicted, expected = prediction.split(), reference.split()
    shared = sum((collections.Counter(predicted) & collections.Counter(expected)).values())
    return 2 * shared / (len(predicted) + len(expected)) if shared else 0.0


def _overlap_2_0(prediction: str, reference: str) -> float:
    if not prediction or not reference:
        return float(prediction == reference)
    return _overlap_1_1(prediction, reference)


def _best_threshold(points, answerable, predictions, no_answer_scores) -> tuple[float, float]:
    """Finds from where on it is best to answer nothing, starting with nothing answered."""
    score = best = sum(not known for known in answerable.values())
    threshold = 0.0
    for question in sorted(answerable, key=no_answer_scores.__getitem__):
        if answerable[question]:
            score += points[question]
        elif predictions.get(question):
            score -= 1
        if score > best:
            best, threshold = score, no_answer_scores[question]
    return 100.0 * best / len(answerable), threshold


def _percent(points) -> float:
    points = list(points)
    return 100.0 * sum(points) / len(points)
