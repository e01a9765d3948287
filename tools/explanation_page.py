"""The page of an explanation: one HTML file without scripts, whose pictures are in it."""

import html
import re
from collections.abc import Container, Iterable

from attention_maps import attention_maps
from explanation import Explanation

STYLE = """
:root { color-scheme: light dark; --page: #fff; --ink: #1a1a1a; --soft: #5c5c5c; --line: #d8d8d8;
  --panel: #f5f5f5; --k: 1; }
@media (prefers-color-scheme: dark) {
  :root { --page: #16181b; --ink: #ececec; --soft: #a6a6a6; --line: #3b3f45; --panel: #1f2226; --k: .8; }
  .maps image { filter: invert(1) hue-rotate(180deg); }
}
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 60rem; margin: auto; padding: 1.5rem; }
h1 { font-size: 1.7rem; overflow-wrap: anywhere; } h2 { font-size: 1.2rem; margin: 2.2rem 0 .5rem; }
h3 { font-size: 1rem; margin: 1rem 0 .25rem; color: var(--soft); }
p { margin: .4rem 0; } .soft, caption { color: var(--soft); font-size: .875rem; text-align: start; }
.note { border-inline-start: 4px solid #b58900; padding: .3rem .8rem; background: var(--panel); }
.text { font-size: 1.25rem; line-height: 2.1; white-space: pre-wrap; overflow-wrap: anywhere; margin: 0; }
.text span { padding: .12em .1em; border-radius: 3px; border-bottom: 3px solid transparent; }
.for { --c: 67 147 195; } .against { --c: 214 96 77; }
.for, .against { background: rgb(var(--c) / calc(var(--k) * var(--a))); }
.text .for, .text .against { border-bottom-color: rgb(var(--c) / var(--a)); }
.text .against { border-bottom-style: dashed; }
.text .answer { outline: 2px solid var(--ink); outline-offset: 1px; }
.text .unseen { color: var(--soft); font-size: .875rem; font-style: italic; }
.legend { display: flex; flex-wrap: wrap; gap: .3rem .7rem; align-items: center; margin-top: .8rem; }
.scale { flex: 0 1 14rem; min-width: 8rem; height: .8rem; border-radius: 3px; background: linear-gradient(90deg,
  rgb(214 96 77 / .85), transparent, rgb(67 147 195 / .85)); border: 1px solid var(--line); }
.special { font-family: ui-monospace, monospace; font-size: .875rem; border: 1px solid var(--line);
  border-radius: 3px; padding: 0 .3rem; }
.scroll { overflow: auto; width: fit-content; max-width: 100%; max-height: 32rem;
  border: 1px solid var(--line); border-radius: 4px; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .2rem .7rem; text-align: start; border-bottom: 1px solid var(--line); }
th { font-weight: 600; background: var(--panel); } .scroll th { position: sticky; top: 0; }
.number { text-align: end; } td.word { overflow-wrap: anywhere; min-width: 5rem; }
.bar { position: relative; width: min(14rem, 30vw); height: .8rem; background: var(--panel); }
.bar i { position: absolute; top: 0; bottom: 0; --a: 1; --k: 1; } .bar b { position: absolute; top: -2px; bottom: -2px;
  left: 50%; border-left: 1px solid var(--soft); }
.bar.share i { background: #7a7a7a; left: 0; } .chosen td { font-weight: 600; }
.attention > input { position: absolute; opacity: 0; }
.attention > label { display: inline-block; padding: .1rem .6rem; margin: .1rem; border: 1px solid var(--line);
  border-radius: 1rem; cursor: pointer; font-size: .875rem; }
.attention > input:checked + label { background: var(--ink); color: var(--page); border-color: var(--ink); }
.attention > input:focus-visible + label { outline: 3px solid #4393c3; }
.attention > .name { display: inline-block; min-width: 3.5rem; } .map { display: none; }
.maps { margin-top: .6rem; overflow: auto; max-height: 48rem; }
.maps text { fill: var(--ink); font-family: ui-monospace, monospace; }
.maps image { image-rendering: pixelated; } .maps rect { fill: none; stroke: var(--line); }
"""
METHOD = """
<p>The tokens' embeddings are moved in a straight line from a baseline, the same row with [MASK] in the place of every
word, to the text. What a word adds is the sum of the gradients of the score on this way, times the way (integrated
gradients: Sundararajan, Taly and Yan, 2017, arXiv 1703.01365). All words together add the difference of the two
scores. [CLS] and [SEP] are in the baseline too, so they add nothing. Scores are logits, before any softmax.</p>
<p>Attention is what the layers compute on their way; where a layer looks is not yet why the model answers.</p>
"""
SIDES = "Blue, underlined: for it; red, dashed: against it. Numbers are where you point at a word."


def page(explanation: Explanation) -> str:
    """Writes the page.

    Args:
        explanation: `Explanation`.

    Returns:
        str, HTML that refers to nothing outside itself.
    """
    words = explanation.words()
    title = f"Why {_quoted(explanation.title)}?"
    selection, maps = attention_maps(explanation.attributions[0].tokens, explanation.attention, shown)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{shown(title)}</title>
<style>{STYLE}{selection}</style>
</head>
<body>
<main>
<h1 dir="auto">{shown(title)}</h1>
{notes(explanation)}
<h2>What the model says</h2>
{_outputs(explanation)}
<h2>What each word adds</h2>
{coloured_texts(explanation, words)}
{_special_tokens(explanation)}
<h2>Does it add up?</h2>
{_sums(explanation)}
<h2>Word by word</h2>
{_table(explanation, words)}
<h2>Where the layers look</h2>
{maps}
<h2>How to read this</h2>
{METHOD}
</main>
</body>
</html>
"""


def shown(text: str) -> str:
    """Escapes a user's text; control characters, which a page must not hold, become U+FFFD."""
    return html.escape(re.sub("[\0-\x08\x0b-\x1f\x7f-\x9f]", "\ufffd", text))


def notes(explanation: Explanation) -> str:
    """Writes what a reader must know."""
    return "".join(f'<p class="note">{shown(note)}</p>' for note in explanation.notes())


def scores_table(kind: str, scores: Iterable[tuple[str, float]], chosen: Container[int], measure="probability") -> str:
    """Writes scores with bars.

    Args:
        kind: str. What has them.
        scores: iterable of name and score, of at most 1.
        chosen: container of int. Which of them are the answer.
        measure: str, default "probability". What the scores are.

    Returns:
        str, HTML.
    """
    rows = "".join(
        f'<tr{" class=chosen" * (number in chosen)}><td class="word"><bdi>{shown(name)}</bdi></td>'
        f'<td class="number">{value:.4f}</td>'
        f'<td><div class="bar share"><i style="width:{max(100 * value, 0):.1f}%"></i></div></td></tr>\n'
        for number, (name, value) in enumerate(scores)
    )
    return f"<table><tr><th>{kind}</th><th>{measure}</th><th></th></tr>\n{rows}</table>"


def coloured_texts(explanation: Explanation, words: list[dict]) -> str:
    """Writes the texts with what each word adds laid over them, and how to read that.

    Args:
        explanation: `Explanation`.
        words: list of dict, what `explanation.words()` gives.

    Returns:
        str, HTML.
    """
    first, most = explanation.attributions[0], max((abs(word["value"]) for word in words), default=0)
    parts = []
    for segment, (name, text) in enumerate(zip(explanation.names, first.texts, strict=True)):
        marked = explanation.marked if segment == len(first.texts) - 1 else (0, 0)
        own = [word for word in words if word["segment"] == segment]
        parts.append(f"<h3>{name}</h3>\n<p class='text' dir='auto'>{_coloured(text, own, most, marked)}</p>")
    against, to = (f"{sign}{most:.3f}" for sign in "-+")
    return f"""{"".join(parts)}
<p class="legend"><span>{against}</span><span class="scale"></span><span>{to}</span></p>
<p class="soft">{SIDES}</p>"""


def _quoted(text):
    return f"\N{LEFT DOUBLE QUOTATION MARK}{text}\N{RIGHT DOUBLE QUOTATION MARK}"


def _outputs(explanation):
    if explanation.kind == "value":
        return f"<p>The value is <b>{shown(explanation.title)}</b>.</p>"
    chosen = [number for number, name in enumerate(explanation.outputs) if name == explanation.title]
    return scores_table(explanation.kind, explanation.outputs.items(), chosen)


def _special_tokens(explanation):
    first = explanation.attributions[0]
    special = " ".join(
        f'<span class="special">{token} {value:+.3f}</span>'
        for place, token in enumerate(first.tokens)
        if first.segments[place] < 0
        for value in [sum(part.values[place] for part in explanation.attributions)]
    )
    return f'<p class="soft">Special tokens: {special}</p>'


def _coloured(text, words, most, marked):
    """Lays values over a text; what stands outside of what the model read is grey."""
    pieces, place = [], 0
    for number, word in enumerate(words):
        between = shown(text[place : word["start"]])
        pieces.append(_unseen(between) if number == 0 else between)
        side = "for" if word["value"] >= 0 else "against"
        side += " answer" * (word["start"] < marked[1] and word["end"] > marked[0])
        pieces.append(
            f'<span class="{side}" style="--a:{0.85 * abs(word["value"]) / (most or 1):.3f}" '
            f'title="{_values(word)}">{shown(word["word"])}</span>'
        )
        place = word["end"]
    return "".join([*pieces, _unseen(shown(text[place:]))])


def _unseen(text):
    return f'<span class="unseen">{text}</span>' if text.strip() else text


def _values(word):
    each = " and ".join(f"{value:+.3f}" for value in word["values"])
    return each if len(word["values"]) == 1 else f"{word['value']:+.3f} ({each})"


def _sums(explanation):
    rows = "".join(
        f"<tr><td><bdi>{shown(part.target)}</bdi></td>"
        + "".join(
            f'<td class="number">{value:.4f}</td>'
            for value in (part.score, part.baseline_score, part.score - part.baseline_score, part.total)
        )
        + f"<td>{explanation.gap_of(part)}</td></tr>\n"
        for part in explanation.attributions
    )
    heads = ("score of", "text", "baseline", "difference", "sum of the words", "")
    head = "".join(f"<th>{name}</th>" for name in heads)
    return f'<div class="scroll"><table><tr>{head}</tr>\n{rows}</table></div>'


def _table(explanation, words):
    most = max((abs(word["value"]) for word in words), default=0) or 1
    targets = [shown(part.target) for part in explanation.attributions]
    names = [*targets, "both"] if len(targets) > 1 else ["adds"]
    rows = []
    for number, word in enumerate(words, start=1):
        width = 50 * abs(word["value"]) / most
        side, left = ("for", 50) if word["value"] >= 0 else ("against", 50 - width)
        values = [*word["values"], word["value"]] if len(targets) > 1 else word["values"]
        rows.append(
            f'<tr><td class="number">{number}</td><td class="word"><bdi>{shown(word["word"])}</bdi></td>'
            + "".join(f'<td class="number">{value:+.4f}</td>' for value in values)
            + f'<td><div class="bar"><i class="{side}" style="left:{left:.1f}%;width:{width:.1f}%"></i><b></b></div>'
            "</td></tr>\n"
        )
    head = "".join(f"<th>{name}</th>" for name in ("", "word", *names, ""))
    return f'<div class="scroll"><table><tr>{head}</tr>\n{"".join(rows)}</table></div>'
