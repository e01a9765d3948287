"""A model's answer to what was typed into a page, as HTML: what was found is marked where it stands."""

import itertools
import re

import explanation_page
import numpy as np
from demo_models import DemoModel
from explanation import Explanation
from explanation_page import scores_table, shown

# How a field is called, in the order of a form; what is one a line is a list.
FIELDS = {
    "text": "Text",
    "text_pair": "Second text",
    "question": "Question",
    "context": "Context",
    "choices": "Choices, one a line",
    "lines": "Lines to search, one a line",
}
MOST_LINES = 1000
SHOWN_LINES = 50
_BATCH = 32


def fields_of(model: DemoModel) -> list[str]:
    """Lists what a form for a model asks."""
    more = {"lines"} if model.head == "BertEmbedder" else set()
    return [field for field in FIELDS if field in more.union(model.inputs)]


def answer(model: DemoModel, question) -> str:
    """Answers a form.

    Args:
        model: `DemoModel`.
        question: dict of field to str, all that `fields_of` lists.

    Returns:
        str, HTML in which everything that was typed is escaped.

    Raises:
        ValueError: a field is missing or empty, or there are too few or too many lines.
    """
    inputs = _checked(model, question)
    return {
        "BertClassifier": _label,
        "BertSpanLabeler": _span,
        "BertTokenClassifier": _entities,
        "BertMultipleChoice": _choice,
        "BertMaskedLM": _masks,
        "BertEmbedder": _search,
    }[model.head](model, inputs)


def _checked(model, question):
    fields = fields_of(model)
    if not isinstance(question, dict) or set(question) != set(fields):
        found = ", ".join(map(str, question))[:200] if isinstance(question, dict) else type(question).__name__
        raise ValueError(f"A question must have the fields {', '.join(fields)}. Received: {found or 'none'}. Add them.")
    inputs = {}
    for field in fields:
        text = question[field]
        if not isinstance(text, str) or not text.strip():
            found = "nothing to read" if isinstance(text, str) else type(text).__name__
            raise ValueError(f"`{FIELDS[field]}` must hold a text. Received: {found}. Write one.")
        # Half of a surrogate pair is no character.
        text = re.sub("[\ud800-\udfff]", "\ufffd", text)
        inputs[field] = text
        if field in ("choices", "lines"):
            inputs[field] = [line.strip() for line in text.splitlines() if line.strip()]
            least = 2 if field == "choices" else 1
            if not least <= len(inputs[field]) <= MOST_LINES:
                raise ValueError(
                    f"`{FIELDS[field]}` must hold {least} to {MOST_LINES} lines. Received: {len(inputs[field])}. "
                    f"{'Add another' if len(inputs[field]) < least else 'Leave some out'}."
                )
    return inputs


def _ask(model, inputs):
    """Asks for one row."""
    return {name: values[0] for name, values in model.ask({name: [x] for name, x in inputs.items()}).items()}


def _label(model, inputs):
    found, labels, task = _ask(model, inputs), model.settings["labels"], model.settings["task"]
    if task == "regression":
        said = _said(f"{found['score']:.4g}")
    else:
        scores = found["probabilities"]
        chosen = {int(np.argmax(scores))} if task == "single_label" else set(np.flatnonzero(np.array(scores) > 0.5))
        title = ", ".join(labels[number] for number in sorted(chosen))
        said = _said(title or "none of the labels") + scores_table("label", zip(labels, scores, strict=True), chosen)
    if model.attributions is None:
        return said
    texts = tuple([text] for text in inputs.values())
    (attribution,) = model.attributions(texts if len(texts) > 1 else texts[0])
    names = [FIELDS[field] for field in inputs]
    explanation = Explanation(attribution.target, "label", {}, tuple(names), (attribution,), [])
    return f"""{said}
<h2>What each word adds to <bdi>{shown(attribution.target)}</bdi></h2>
{explanation_page.notes(explanation)}
{explanation_page.coloured_texts(explanation, explanation.words())}"""


def _span(model, inputs):
    found = _ask(model, inputs)
    said = _said(found["answer"] or "no answer", found["score"])
    spans = [(found["start"], found["end"], "", 0)] if found["answer"] else []
    html = f"{said}<h3>Context</h3>{_marked(inputs['context'], spans)}"
    others = [each for each in zip(found.get("answers", ()), found.get("scores", ())) if each[1] > 0]
    if not others:
        return html
    chosen = {0} if found["answer"] else set()
    return f"{html}<h3>The most probable spans</h3>{scores_table('span', others, chosen)}"


def _entities(model, inputs):
    found = _ask(model, inputs)
    columns = (found[f"entity_{name}"] for name in ("start", "end", "label", "score"))
    spans = [*itertools.islice(zip(*columns), found["num_entities"])]
    # Colours that are as far from each other as they can be, the same ones for every text.
    known = list(dict.fromkeys(tag.partition("-")[2] or tag for tag in model.settings["labels"] if tag != "O"))
    hues = {label: 360 * number // len(known) for number, label in enumerate(known)}
    text = _marked(inputs["text"], spans, hues)
    count = "no entities" if not spans else "1 entity" if len(spans) == 1 else f"{len(spans)} entities"
    if not spans:
        return f"{_said(count)}{text}"
    rows = [(f"{inputs['text'][start:end]}: {label}", score) for start, end, label, score in spans]
    return f"{_said(count)}{text}<h3>How probable they are</h3>{scores_table('entity', rows, ())}"


def _choice(model, inputs):
    found = _ask(model, inputs)
    scores = zip(inputs["choices"], found["probabilities"], strict=True)
    return _said(found["answer"]) + scores_table("choice", scores, {found["choice"]})


def _masks(model, inputs):
    found, text = _ask(model, inputs), inputs["text"]
    if not found["num_masks"]:
        raise ValueError(
            f"The text must hold [MASK] within the {model.sequence_length} tokens that the model reads. Received: none "
            "there. Write [MASK] where a word is missing."
        )
    parts = []
    masks = list(re.finditer(r"\[MASK\]", text))
    for number, mask in enumerate(masks[: found["num_masks"]]):
        tokens, scores, filled = (found[name][number] for name in ("token", "score", "filled"))
        # A token that goes on with a word joins it, so the place is counted from the end.
        end = len(filled[0]) - len(text) + mask.end()
        span = (end - len(tokens[0].removeprefix("##")), end, "", scores[0])
        name = f"<h3>Mask {number + 1}</h3>" if len(masks) > 1 else ""
        parts.append(f"{name}{_marked(filled[0], [span])}{scores_table('token', zip(tokens, scores), {0})}")
    return "".join(parts)


def _search(model, inputs):
    texts = [inputs["text"], *inputs["lines"]]
    vectors = np.concatenate(
        [model.ask({"text": texts[low : low + _BATCH]})["embedding"] for low in range(0, len(texts), _BATCH)]
    )
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    cosines = vectors[1:] @ vectors[0]
    best = np.argsort(-cosines, kind="stable")[:SHOWN_LINES]
    rows = [(inputs["lines"][number], float(cosines[number])) for number in best]
    table = scores_table("line", rows, {0}, "cosine")
    is_cut = len(cosines) > len(rows)
    return table + f'<p class="soft">The best {len(rows)} of {len(cosines)} lines.</p>' * is_cut


def _said(text, score=None):
    number = "" if score is None else f' <span class="soft">{score:.4f}</span>'
    return f'<p class="said" dir="auto"><bdi>{shown(text)}</bdi>{number}</p>'


def _marked(text, spans, hues=None):
    """Marks spans, `(start, end, label, score)` in order, in a text."""
    pieces, place = [], 0
    for start, end, label, score in spans:
        style = f' style="--h:{hues[label]}"' if hues else ""
        name = f"<small>{shown(label)}</small>" if label else ""
        number = f' title="{score:.4f}"' if score else ""
        pieces += [shown(text[place:start]), f"<mark{style}{number}>{shown(text[start:end])}{name}</mark>"]
        place = end
    return f'<p class="text" dir="auto">{"".join(pieces)}{shown(text[place:])}</p>'
