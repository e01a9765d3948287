"""A page to try models on: what it marks is what the models predict, and nothing that is typed breaks it or runs."""

import argparse
import contextlib
import html.parser
import http.client
import importlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import threading
import types
import urllib.parse

import numpy as np
import pytest

from tests.choosers import make_chooser
from tests.classifiers import make_classifier
from tests.embedders import make_embedder
from tests.labelers import make_labeler
from tests.masked import make_masked_lm
from tests.taggers import make_tagger

TOOLS = pathlib.Path(__file__).parents[2] / "tools"
EVIL = "<script>document.title='run'</script><img src=x onerror=\"document.title='run'\"> a fine film & \"b\""
QUESTIONS = {
    "classifier": {"text": "the film is not good"},
    "labeler": {"question": "a b", "context": "a <c> \u4e2d\u56fd d bkl. " * 4},
    "tagger": {"text": "a bk, c. \u4e2d\u56fd d's"},
    "chooser": {"context": "a bk \u4e2d\u56fd .", "question": "a b", "choices": " a b\r\n\nc\nd e f\n"},
    "masked": {"text": "a [MASK] \u4e2d\u56fd [MASK]d"},
    "embedder": {"text": "a fine film", "lines": "bore\na good film\n\nthe long day"},
}


class Read(html.parser.HTMLParser):
    """What a browser would find in an answer: tags, rows of tables, marks and their places, words with values."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.rows, self.marks, self.places, self.words, self.text = [], [], [], [], [], ""
        self._open, self._text_begins = [], 0
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.tags.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag == "td":
            self.rows[-1].append("")
        if tag == "mark":
            self.marks.append("")
            self.places.append(len(self.text) - self._text_begins)
        if tag == "p":
            self._text_begins = len(self.text)
        if tag == "span" and "title" in attributes:
            self.words.append(attributes["title"])
        if tag not in ("img", "input", "meta", "link"):
            self._open.append(tag)

    def handle_endtag(self, tag):
        self._open.pop()

    def handle_data(self, data):
        if "small" not in self._open:
            self.text += data
        if "td" in self._open:
            self.rows[-1][-1] += data
        if "mark" in self._open:
            self.marks[-1] += f"|{data}" if "small" in self._open else data

    @property
    def scores(self):
        return [(row[0], float(row[1])) for row in self.rows if row]


@pytest.fixture(scope="module")
def tools():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(TOOLS))
        names = ("demo", "demo_answers", "demo_models", "demo_page", "demo_server")
        return types.SimpleNamespace(**{name: importlib.import_module(name) for name in names})


@pytest.fixture(scope="module")
def models():
    return {
        "classifier": make_classifier(),
        "labeler": make_labeler(num_layers=1),
        "tagger": make_tagger(num_layers=1),
        "chooser": make_chooser(num_layers=1),
        "masked": make_masked_lm(num_layers=1),
        "embedder": make_embedder(num_layers=1),
    }


@pytest.fixture(scope="module")
def presets(models, tmp_path_factory):
    folder = tmp_path_factory.mktemp("presets")
    for name, model in models.items():
        model.save_to_preset(folder / name / "preset")
    return folder


@contextlib.contextmanager
def running(tools, models):
    server = tools.demo_server.DemoServer(models, "127.0.0.1", 0)
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="module")
def server(tools, presets):
    """A running page of a model of each head."""
    paths = [str(presets / name / "preset") for name in QUESTIONS]
    args = argparse.Namespace(models=paths, url=None, model_name=None, card=None)
    with running(tools, tools.demo.load(args)) as server:
        yield server


def fetch(server, body=None, path="/answer", method=None):
    """Status, headers and what was sent; a body is an object, or bytes."""
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(server.address).netloc, timeout=60)
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    connection.request(method or ("GET" if body is None else "POST"), path, data)
    response = connection.getresponse()
    content = response.read().decode("utf-8")
    connection.close()
    is_json = response.headers["Content-Type"] == "application/json"
    return response.status, response.headers, json.loads(content) if is_json else content


def ask(server, tab, question):
    status, _, found = fetch(server, {"tab": tab, "question": question})
    assert status == 200, found
    return Read(found["html"])


def error_of(server, body, status=400, **more):
    found, _, content = fetch(server, body, **more)
    assert found == status and set(content) == {"error"}, content
    assert re.search(r"\. Received.*\. [A-Z]", content["error"]) and "Traceback" not in content["error"]
    return content["error"]


# ---- What is shown is what the models predict


def classifier_is_right(page, model, question):
    (expected,) = model.predict([question["text"]], verbose=0)
    assert [name for name, _ in page.scores] == list(model.labels)
    np.testing.assert_allclose([score for _, score in page.scores], expected, atol=1e-4)
    assert page.text.startswith(model.labels[expected.argmax()])


def labeler_is_right(page, model, question):
    (expected,) = model.predict(([question["question"]], [question["context"]]), verbose=0, n_best=5)
    assert expected["answer"] and page.marks == [expected["answer"]]
    said, _, text = page.text.partition("Context")
    assert said.startswith(expected["answer"]) and text.startswith(question["context"])
    np.testing.assert_allclose(float(said.split()[-1]), expected["score"], atol=1e-4)
    assert page.places == [expected["start"]]
    if page.scores:  # of an export only where it was asked for them
        assert [name for name, _ in page.scores] == [each["answer"] for each in expected["answers"]]


def tagger_is_right(page, model, question):
    (expected,) = model.predict([question["text"]], verbose=0)
    assert expected and page.marks == [f"{each['entity']}|{each['label']}" for each in expected]
    assert [name for name, _ in page.scores] == [f"{each['entity']}: {each['label']}" for each in expected]
    np.testing.assert_allclose([score for _, score in page.scores], [each["score"] for each in expected], atol=1e-4)


def chooser_is_right(page, model, question):
    choices = ["a b", "c", "d e f"]
    (expected,) = model.predict(([question["context"]], [question["question"]], [choices]), verbose=0)
    assert [name for name, _ in page.scores] == choices
    np.testing.assert_allclose([score for _, score in page.scores], expected, atol=1e-4)
    assert page.text.startswith(choices[expected.argmax()])


def masked_is_right(page, model, question):
    (expected,) = model.predict([question["text"]], verbose=0)
    assert len(expected) == 2
    fillings = [each for mask in expected for each in mask]
    assert [name for name, _ in page.scores] == [each["token"] for each in fillings]
    np.testing.assert_allclose([score for _, score in page.scores], [each["score"] for each in fillings], atol=1e-4)
    assert page.marks == [mask[0]["token"].removeprefix("##") for mask in expected]
    for mask in expected:
        assert mask[0]["filled"] in page.text


def embedder_is_right(page, model, question):
    lines = ["bore", "a good film", "the long day"]
    (expected,) = model.search([question["text"]], model.predict(lines, verbose=0))
    assert [name for name, _ in page.scores] == [lines[each["index"]] for each in expected]
    np.testing.assert_allclose([score for _, score in page.scores], [each["score"] for each in expected], atol=1e-4)


IS_RIGHT = {
    "classifier": classifier_is_right,
    "labeler": labeler_is_right,
    "tagger": tagger_is_right,
    "chooser": chooser_is_right,
    "masked": masked_is_right,
    "embedder": embedder_is_right,
}


@pytest.mark.parametrize("head", QUESTIONS)
def test_a_preset_answers(server, models, head):
    IS_RIGHT[head](ask(server, head, QUESTIONS[head]), models[head], QUESTIONS[head])


@pytest.fixture(scope="module")
def exported(models, tmp_path_factory):
    """Gives the directory of a model's versions."""
    folder = tmp_path_factory.mktemp("exports")

    def export(head):
        if not (folder / head).exists():
            models[head].export(folder / head / "3")
        return folder / head

    return export


@pytest.mark.parametrize(
    "head", ["classifier", *(pytest.param(head, marks=pytest.mark.slow) for head in [*QUESTIONS][1:])]
)
def test_an_export_answers(tools, models, head, exported):
    model = tools.demo_models.of_path(str(exported(head)))
    assert model.name == head
    page = Read(tools.demo_answers.answer(model, QUESTIONS[head]))
    IS_RIGHT[head](page, models[head], QUESTIONS[head])
    assert not page.words


@pytest.mark.parametrize("head", ["classifier", pytest.param("labeler", marks=pytest.mark.slow)])
def test_a_served_model_answers(tools, models, exported, head):
    servers = importlib.import_module("tests.servers")
    card = exported(head) / "3" / "model_card.json"
    with servers.served(exported(head), warm_up=False) as client:
        url = f"http://{client.rest_address.netloc}/"
        args = argparse.Namespace(models=[], url=url, model_name=head, card=card)
        (model,) = tools.demo.load(args)
        with running(tools, [model]) as server:
            IS_RIGHT[head](ask(server, head, QUESTIONS[head]), models[head], QUESTIONS[head])
    with running(tools, [model]) as server:
        message = error_of(server, {"tab": head, "question": QUESTIONS[head]}, 502)
    assert re.search(f"server must answer as the model card says. Received from http.*/v1/models/{head}: ", message)


def test_words_are_coloured_by_what_they_add(server, models):
    (attribution,) = models["classifier"].attributions([QUESTIONS["classifier"]["text"]])
    page = ask(server, "classifier", QUESTIONS["classifier"])
    assert page.words == [f"{word['value']:+.3f}" for word in attribution.words()]
    assert f"What each word adds to {attribution.target}" in page.text


# ---- Answers that tiny models do not give


def fake(tools, head, settings, found, inputs=("text",)):
    columns = {name: [values] for name, values in found.items()}
    return tools.demo_models.DemoModel("x", head, settings, 16, inputs, [], lambda asked: columns)


def test_several_labels_none_and_a_value(tools):
    def page(task, **found):
        model = fake(tools, "BertClassifier", {"labels": ["x", "<b>", "z"], "task": task}, found)
        return tools.demo_answers.answer(model, {"text": "a"})

    several = page("multi_label", probabilities=[0.25, 0.75, 0.5001])
    assert Read(several).text.startswith("<b>, z") and several.count("class=chosen") == 2
    assert Read(page("multi_label", probabilities=[0.25, 0.5, 0.1])).text.startswith("none of the labels")
    assert Read(page("regression", score=-12.34567)).text == "-12.35"


def test_no_answer_and_no_entities_are_told(tools):
    nothing = {"answer": "", "start": 0, "end": 0, "score": 0.75, "answers": ["b", ""], "scores": [0.2, 0.0]}
    model = fake(tools, "BertSpanLabeler", {}, nothing, ("question", "context"))
    page = Read(tools.demo_answers.answer(model, {"question": "a", "context": "b c"}))
    assert page.text.startswith("no answer 0.7500") and not page.marks and page.scores == [("b", 0.2)]
    empty = {f"entity_{name}": [] for name in ("start", "end", "label", "score")} | {"num_entities": 0}
    model = fake(tools, "BertTokenClassifier", {"labels": ["O"]}, empty)
    page = Read(tools.demo_answers.answer(model, {"text": "a<b"}))
    assert page.text == "no entitiesa<b"


def test_a_token_that_goes_on_with_a_word_is_marked_where_it_joins(tools):
    found = {"token": [["##s"], [""]], "score": [[0.5], [0]], "filled": [["the cats [MASK] run"], [""]], "num_masks": 1}
    model = fake(tools, "BertMaskedLM", {}, found)
    page = Read(tools.demo_answers.answer(model, {"text": "the cat [MASK] [MASK] run"}))
    assert page.marks == ["s"] and page.places == [7] and "the cats [MASK] run" in page.text


def test_lines_beyond_the_best_are_counted(tools):
    def embed(asked):
        return {"embedding": [[1.0, 0.0] if text == "a" else [float(text), 1.0] for text in asked["text"]]}

    model = fake(tools, "BertEmbedder", {}, {})._replace(ask=embed)
    lines = [str(number - 30) for number in range(70)]
    page = Read(tools.demo_answers.answer(model, {"text": "a", "lines": "\n".join(lines)}))
    assert [name for name, _ in page.scores] == [str(number) for number in range(39, -11, -1)]
    np.testing.assert_allclose(page.scores[-1][1], -10 / np.sqrt(101), atol=1e-4)
    assert page.text.endswith("The best 50 of 70 lines.")


# ---- What a text cannot do


@pytest.mark.parametrize("head", ["classifier", "labeler", "tagger", "chooser", "masked", "embedder"])
def test_what_is_typed_is_shown_as_text(server, head):
    question = {field: f"{text} {EVIL} \0[MASK]" for field, text in QUESTIONS[head].items()}
    _, _, found = fetch(server, {"tab": head, "question": question})
    page = Read(found["html"])
    assert not {"script", "img"} & set(page.tags) and not re.search(r"<[^>]*\son\w+=", found["html"])
    assert "\0" not in found["html"] and "document.title='run'" in page.text


def test_every_text_has_an_answer(server):
    odd = ("\u202e\u05e9\u05dc\u05d5\u05dd a", "\u4e2d\u6587 film", "\ud800 $a_b^2$ %s", "a\0b", "a film " * 1000)
    for text in odd:
        for head in ("classifier", "tagger"):
            assert text.replace("\ud800", "\ufffd").replace("\0", "\ufffd") in ask(server, head, {"text": text}).text


def test_the_page_has_a_form_for_each_model_and_refers_to_nothing_else(server, tools):
    status, headers, page = fetch(server, path="/?tab=tagger&text=a")
    read = Read(page)
    assert status == 200 and headers["Content-Type"] == "text/html; charset=utf-8"
    assert headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'; ")
    assert read.tags.count("form") == len(QUESTIONS)
    assert set(re.findall(r'(?:src|href|action)="([^"]*)"', page)) == {"demo.js", "data:,"}
    assert re.findall(r'<button[^>]*role="tab"[^>]*data-tab="([^"]*)"', page) == list(QUESTIONS)
    for panel in page.split("<section")[1:]:
        (head,) = re.findall(r'^[^>]*data-tab="([^"]*)"', panel)
        assert set(re.findall(r'<textarea name="(\w+)"', panel)) == set(QUESTIONS[head])
        for example in re.findall(r'data-example="([^"]*)"', panel):
            assert ask(server, head, json.loads(html.unescape(example))).text
    status, headers, script = fetch(server, path="/demo.js")
    assert status == 200 and headers["Content-Type"].startswith("text/javascript")
    assert re.search("innerHTML = found.html", script) and script.count("innerHTML") == 1


# ---- What is refused


def test_a_bad_question_is_told_what_is_wrong(server):
    def asked(tab, **question):
        return {"tab": tab, "question": question}

    assert "`Text` must hold a text. Received: nothing to read." in error_of(server, asked("classifier", text=""))
    assert "`Context` must hold a text." in error_of(server, asked("labeler", question="a", context=" \n\t"))
    assert "`Text` must hold a text. Received: int." in error_of(server, asked("classifier", text=3))
    assert "must have the fields text. Received: none." in error_of(server, asked("classifier"))
    assert "must have the fields text. Received: NoneType." in error_of(server, {"tab": "classifier"})
    assert "Received: text, more." in error_of(server, asked("classifier", text="a", more="b"))
    choices = asked("chooser", context="a", question="b", choices="one\n\n")
    assert "must hold 2 to 1000 lines. Received: 1. Add another." in error_of(server, choices)
    lines = asked("embedder", text="a", lines="a\n" * 1001)
    assert "must hold 1 to 1000 lines. Received: 1001. Leave some out." in error_of(server, lines)
    message = "must hold [MASK] within the 14 tokens that the model reads. Received: none there."
    assert message in error_of(server, asked("masked", text="no mask"))
    assert message in error_of(server, asked("masked", text="x " * 40 + "[MASK]"))
    assert "`tab` must be one of classifier, " in error_of(server, asked("<b>", text="a"))
    assert "`tab` must be one of" in error_of(server, {"tab": ["classifier"]})
    assert "`tab` must be one of" in error_of(server, [1])


def test_what_is_no_question_is_refused(server):
    for body in (b"", b"{", b"\xff\xfe", b"text=a", b"[" * 100_000):
        assert "A question must be JSON in UTF-8. Received: " in error_of(server, body)
    big = {"tab": "classifier", "question": {"text": "a" * (1 << 20)}}
    assert "at most 131072 bytes. Received: 10486" in error_of(server, big, 413)
    assert "There are GET / and POST /answer. Received: /x." in error_of(server, {}, 404, path="/x")
    assert "Received: /etc/passwd." in error_of(server, None, 404, path="/etc/passwd")
    status, _, found = fetch(server, b"{}", method="PUT")
    assert status == 501 and "Ask by HTTP's GET or POST." in found["error"]
    assert ask(server, "classifier", QUESTIONS["classifier"]).scores


def test_what_is_no_model_is_refused(tools, models, presets, tmp_path, capsys, server):
    encoder, card = tmp_path / "encoder", tmp_path / "model_card.json"
    models["classifier"].encoder.save_to_preset(encoder)
    card.write_text('{"model": "x"}')
    of_server = ("--url", "http://127.0.0.1:1", "--model-name", "x", "--card")
    example = {"serving_default": {"inputs": {}, "outputs": {}}}
    strange = {"model": "Other", "head": {}, "sequence_length": 3, "signatures": example, "examples": [{"inputs": {}}]}
    (tmp_path / "other.json").write_text(json.dumps(strange))
    taken = str(urllib.parse.urlsplit(server.address).port)
    refusals = {
        (): "There must be a model to try. Received: none. Make one with `python recipes/finetune_classifier.py`",
        (str(encoder),): "must have a head, which answers. Received: ",
        (str(tmp_path / "nowhere"),): "nowhere",
        of_server[:4]: "needs --url, --model-name and --card. Received: not all of them.",
        (*of_server, str(tmp_path / "none.json")): "must be the model_card.json of an export. Received: ",
        (*of_server, str(card)): "must be the model_card.json of an export. Received: ",
        (*of_server, str(tmp_path / "other.json")): "The model must be one of BertClassifier, ",
        (str(presets / "masked" / "preset"), "--port", taken): "The port for the page must be free. Received: ",
    }
    for flags, message in refusals.items():
        with pytest.raises(SystemExit):
            tools.demo.main(list(flags))
        assert message in " ".join(capsys.readouterr().err.split()), flags


# ---- The tool as a user runs it


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_it_says_where_it_is_and_stops(tools, presets, capsys, monkeypatch, stop):
    found = []

    class Watched(tools.demo_server.DemoServer):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            threading.Thread(target=self.visit).start()

        def visit(self):
            found.append((self.address, fetch(self, path="/")[0], [*self.models]))
            os.kill(os.getpid(), stop)

    monkeypatch.setattr(tools.demo, "DemoServer", Watched)
    before = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        path = str(presets / "masked" / "preset")
        tools.demo.main([path, path, "--port", "0"])
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
    ((address, status, names),) = found
    assert status == 200 and names == ["masked", "masked-2"]
    assert capsys.readouterr().out == f"Ready: masked, masked-2. Open {address}\nStopped.\n"


@pytest.mark.slow
def test_a_browser_shows_the_answer_and_runs_nothing_of_the_text(presets, tmp_path):
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("needs a Chromium in the PATH")
    command = [sys.executable, TOOLS / "demo.py", presets / "tagger" / "preset", presets / "classifier" / "preset"]
    environment = os.environ | {"PYTHONPATH": str(TOOLS.parent)}
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "env": environment}
    with subprocess.Popen([*command, "--port", "0"], **options) as process:
        try:
            line = process.stdout.readline()
            ready = re.fullmatch(r"Ready: tagger, classifier\. Open (http://127\.0\.0\.1:\d+/)\n", line)
            assert ready, line + process.stderr.read()

            def dom(**query):
                flags = "--headless --no-sandbox --disable-gpu --dump-dom --virtual-time-budget=60000 --no-first-run"
                address = f"{ready[1]}?{urllib.parse.urlencode(query)}"
                call = [chromium, *flags.split(), f"--user-data-dir={tmp_path / 'profile'}", address]
                return subprocess.run(call, check=True, capture_output=True, timeout=240).stdout.decode("utf-8")

            text = f"the film is not good \u4e2d\u6587 {EVIL}"
            page = dom(tab="classifier", text=text)
            assert "<title>Try a model</title>" in page
            answer = page.rpartition('<div class="answer"')[2]
            assert "What each word adds to" in answer
            assert re.search(r'<tr class="chosen"><td class="word"><bdi>(posi|nega)tive<', answer)
            assert "&lt;" in answer and not re.search("<(script|img)", answer)
            assert text in html.unescape(re.sub("<[^>]*>", "", answer))
            assert '<p class="note">`Text` must hold a text. Received: nothing to read.' in dom(tab="tagger", text=" ")
            process.send_signal(signal.SIGINT)
            rest, errors = process.communicate(timeout=60)
        finally:
            process.kill()
    assert rest == "Stopped.\n" and process.returncode == 0, errors
