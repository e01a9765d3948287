"""The page of a demo: a tab a model, a form in each, and room for the answer, which demo.js fetches."""

import json
from collections.abc import Sequence

from demo_answers import FIELDS, fields_of
from demo_models import DemoModel
from explanation_page import STYLE, shown

# Nothing but the page's own script runs, whatever a text holds, and nothing is fetched from elsewhere.
POLICY = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'unsafe-inline'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
TITLES = {
    "BertClassifier": "Classifies a text, and shows which words count.",
    "BertSpanLabeler": "Finds the answer to a question in a context.",
    "BertTokenClassifier": "Finds entities in a text.",
    "BertMultipleChoice": "Chooses the answer to a question.",
    "BertMaskedLM": "Guesses the words that [MASK] hides.",
    "BertEmbedder": "Compares a text with lines: how alike one is, or which of many is closest.",
}
_STYLE = """
nav { display: flex; flex-wrap: wrap; gap: .3rem; border-bottom: 1px solid var(--line); margin-bottom: 1rem; }
button { font: inherit; color: inherit; background: none; cursor: pointer; }
nav button { border: 1px solid transparent; border-bottom: 3px solid transparent; padding: .4rem .9rem;
  border-radius: 4px 4px 0 0; color: var(--soft); overflow-wrap: anywhere; }
nav button[aria-selected=true] { color: var(--ink); border-bottom-color: #4393c3; font-weight: 600; }
button:focus-visible, textarea:focus-visible { outline: 3px solid #4393c3; outline-offset: 1px; }
form label { display: block; margin: .8rem 0; color: var(--soft); font-size: .875rem; }
textarea { display: block; box-sizing: border-box; width: 100%; margin-top: .2rem; padding: .5rem .7rem; font: inherit;
  font-size: 1rem; color: var(--ink); background: var(--page); border: 1px solid var(--line); border-radius: 4px;
  resize: vertical; }
.ask { background: var(--ink); color: var(--page); border: 1px solid var(--ink); border-radius: 4px;
  padding: .4rem 1.6rem; }
.ask:disabled { opacity: .5; cursor: progress; }
.examples { display: flex; flex-wrap: wrap; gap: .4rem; align-items: center; margin: .8rem 0; }
.examples button { border: 1px solid var(--line); border-radius: 1rem; padding: .1rem .7rem; font-size: .875rem;
  max-width: 20rem; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.answer { margin-top: 1.5rem; } .answer h3 { margin-top: 1.4rem; }
.answer table { max-width: 100%; margin: .6rem 0; }
.answer td { vertical-align: top; } .answer .bar { width: min(14rem, 16vw); margin-top: .35em; }
.said { font-size: 1.5rem; font-weight: 600; overflow-wrap: anywhere; margin: 0 0 .5rem; }
.said .soft { font-weight: 400; font-size: 1rem; }
mark { color: inherit; background: hsl(var(--h, 205) 60% 50% / .28); border-radius: 3px; padding: .12em .15em;
  border-bottom: 3px solid hsl(var(--h, 205) 60% 50%); box-decoration-break: clone; -webkit-box-decoration-break: clone;
}
mark small { font-size: .75rem; font-weight: 600; margin-inline-start: .4em; color: var(--soft); }
[hidden] { display: none; }
"""


def page(models: Sequence[DemoModel]) -> str:
    """Writes the page.

    Args:
        models: sequence of `DemoModel`, whose names are all different.

    Returns:
        str, HTML that refers to nothing but `demo.js`.
    """
    tabs = "".join(
        f'<button type="button" role="tab" aria-selected="false" data-tab="{shown(model.name)}">'
        f"<bdi>{shown(model.name)}</bdi></button>\n"
        for model in models
    )
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Try a model</title>
<link rel="icon" href="data:,">
<style>{STYLE}{_STYLE}</style>
<script src="demo.js" defer></script>
</head>
<body>
<main>
<h1>Try a model</h1>
<noscript><p class="note">This page asks its server by a script. Allow scripts of this address.</p></noscript>
<nav role="tablist">
{tabs}</nav>
{"".join(map(_panel, models))}</main>
</body>
</html>
"""


def _panel(model):
    fields = "".join(
        f'<label>{FIELDS[field]}<textarea name="{field}" rows="{_rows(field)}" dir="auto" spellcheck="false">'
        "</textarea></label>\n"
        for field in fields_of(model)
    )
    return f"""<section role="tabpanel" data-tab="{shown(model.name)}" hidden>
<p class="soft">{TITLES[model.head]}</p>
<form>
{fields}<button class="ask">Ask</button>
</form>
{_example_buttons(model)}<div class="answer" aria-live="polite"></div>
</section>
"""


def _rows(field):
    return {"question": 1, "context": 4, "choices": 4, "lines": 6}.get(field, 3)


def _example_buttons(model):
    if model.head == "BertEmbedder":  # one text is asked, the others are searched
        first, *others = [example["text"] for example in model.examples]
        examples = [{"text": first, "lines": "\n".join(others)}]
    else:
        examples = [
            {name: value if isinstance(value, str) else "\n".join(value) for name, value in example.items()}
            for example in model.examples
        ]
    buttons = "".join(
        f'<button type="button" dir="auto" data-example="{shown(json.dumps(example, ensure_ascii=False))}">'
        f"{shown(example[fields_of(model)[0]])}</button>\n"
        for example in examples
    )
    return f'<div class="examples"><span class="soft">Examples:</span>\n{buttons}</div>\n' if buttons else ""
