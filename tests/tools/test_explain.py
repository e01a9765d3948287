"""The page and the pictures of an explanation: they hold what was computed, and nothing that a text smuggles in."""

import contextlib
import html.parser
import importlib
import io
import pathlib
import re
import types
from base64 import b64decode

import numpy as np
import pytest
from matplotlib import image

from tests.classifiers import make_classifier, make_preprocessor
from tests.labelers import make_labeler

TOOLS = pathlib.Path(__file__).parents[2] / "tools"
TEXT = "The film is not good."
EVIL = "<script>alert('x')</script> a \"fine\" film & \0 http://x.y"


@pytest.fixture(scope="module")
def explain(tmp_path_factory):
    """Runs the tool on a model, and reads what it wrote and printed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(TOOLS))
        tool = importlib.import_module("explain")

    def run(model, *flags):
        folder = tmp_path_factory.mktemp("explained")
        if not isinstance(model, str):
            model.save_to_preset(folder / "preset")
            model = str(folder / "preset")
        shown = tool.main([model, *flags, "--output", str(folder / "out")])
        page = (folder / "out" / "explanation.html").read_bytes().decode("utf-8")
        return types.SimpleNamespace(shown=shown, page=page, read=Page(page), output=folder / "out")

    run.main = tool.main
    return run


class Page(html.parser.HTMLParser):
    """What a browser would find: tags, addresses, styles, words with their values, text."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.addresses, self.words, self.text, self.pictures = [], [], [], "", {}
        self._word = None
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.tags.append(tag)
        self.addresses += [value for name, value in attributes.items() if name in ("href", "src", "action", "data")]
        if tag == "image":
            self.pictures[attributes["class"].split()[1]] = attributes["href"]
        if tag == "span" and "title" in attributes:
            self._word = {"title": attributes["title"], "class": attributes["class"], "word": ""}
            self.words.append(self._word)

    def handle_endtag(self, tag):
        self._word = None

    def handle_data(self, data):
        self.text += data
        if self._word is not None:
            self._word["word"] += data


@pytest.fixture(scope="module")
def single(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "single"
    make_classifier(num_layers=2, pairs=False).save_to_preset(folder)
    return str(folder)


@pytest.fixture(scope="module")
def classified(explain, single):
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        found = explain(single, TEXT, "--label", "positive")
    found.printed = printed.getvalue()
    return found


def pixels(address):
    head, data = address.split(",")
    assert head == "data:image/png;base64"
    return image.imread(io.BytesIO(b64decode(data)), format="png")


def assert_is_a_picture(path):
    array = image.imread(path)
    assert array.shape[0] > 150 and array.shape[1] > 150 and array[..., :3].std() > 0.02


# ---- What stands on the page


def test_words_have_the_values_that_the_library_gives(classified):
    (attribution,) = make_classifier(num_layers=2).attributions([TEXT], label="positive")
    words = attribution.words()
    assert [word["word"] for word in words] == ["The", "film", "is", "not", "good", "."]
    assert [word["word"] for word in classified.read.words] == [word["word"] for word in words]
    for found, word in zip(classified.read.words, words, strict=True):
        assert found["title"] == f"{word['value']:+.3f}"
        assert found["class"] == ("for" if word["value"] >= 0 else "against")
        assert f"{word['value']:+.4f}" in classified.read.text
    for number in (attribution.score, attribution.baseline_score, attribution.total):
        assert f"{number:.4f}" in classified.read.text
    assert f"{attribution.steps} steps" in classified.read.text
    strongest = max(words, key=lambda word: abs(word["value"]))
    place = words.index(strongest)
    shares = [float(share) for share in re.findall(r"--a:([\d.]+)", classified.page)]
    assert np.argmax(shares) == place and shares[place] == 0.85


def test_the_prediction_is_the_models(classified):
    probabilities = make_classifier(num_layers=2).predict([TEXT], verbose=0)[0]
    for label, probability in zip(("negative", "positive"), probabilities, strict=True):
        assert re.search(rf"{label}</bdi></td><td class=\"number\">{probability:.4f}<", classified.page)
    assert "Why \u201cpositive\u201d?" in classified.read.text


def test_maps_are_the_attention_of_transformers(classified, single):
    pytest.importorskip("torch", reason="needs torch, of the extra [oracles]")
    transformers = pytest.importorskip("transformers", reason="needs transformers, of the extra [oracles]")
    import torch

    model = transformers.BertForSequenceClassification.from_pretrained(single, attn_implementation="eager").eval()
    names = {"token_ids": "input_ids", "segment_ids": "token_type_ids", "padding_mask": "attention_mask"}
    inputs = {names[name]: torch.tensor(part.numpy()).long() for name, part in make_preprocessor()([TEXT]).items()}
    with torch.no_grad():
        theirs = [layer[0].numpy() for layer in model(**inputs, output_attentions=True).attentions]
    assert len(classified.read.pictures) == 2 * (3 + 1)
    for number, (ours, layer) in enumerate(zip(classified.shown.attention, theirs, strict=True), start=1):
        np.testing.assert_allclose(ours, layer, atol=1e-5)
        for head, scores in enumerate([layer.mean(axis=0), *layer]):
            alpha = pixels(classified.read.pictures[f"m-{number}-{head}"])[..., 3]
            np.testing.assert_allclose(alpha, scores / scores.max(), atol=0.015)
            assert f"#layer-{number}:checked ~ #head-{head}:checked ~ .maps .m-{number}-{head} " in classified.page


def test_the_pictures_are_drawn(classified):
    assert sorted(path.name for path in classified.output.iterdir()) == [
        "attention.png",
        "attributions.png",
        "explanation.html",
    ]
    for name in ("attributions", "attention"):
        assert_is_a_picture(classified.output / f"{name}.png")


def test_the_terminal_is_told_too(classified):
    (part,) = classified.shown.attributions
    line = f"positive: {part.score:.4f}, without words {part.baseline_score:.4f}; words add {part.total:+.4f}, to "
    assert line in classified.printed
    assert classified.printed.splitlines()[-1].startswith("Written: ")


# ---- What a text cannot do


def test_a_page_needs_nothing_and_runs_nothing(classified, explain):
    evil = explain(make_classifier(("a", "<b>")), EVIL, "--label", "<b>")
    for found in (classified, evil):
        assert not {"script", "link", "iframe", "object", "embed"} & set(found.read.tags)
        assert all(address.startswith("data:image/png;base64,") for address in found.read.addresses)
        style = found.page[found.page.index("<style>") : found.page.index("</style>")]
        assert "url(" not in style and "@import" not in style
        assert not re.search(r"<[^>]*\son\w+=", found.page)
    assert "http" not in classified.page
    assert "alert('x')" in evil.read.text and "<script" not in evil.page and "<b>?" not in evil.page
    assert "\0" not in evil.page and "\ufffd" in evil.page
    assert "\u201c<b>\u201d" in evil.read.text
    assert re.sub(r"\s+", " ", evil.read.text).count("</script> a \"fine\" film &") == 1


@pytest.mark.parametrize("text", ["", "\u202e\u05e9\u05dc\u05d5\u05dd a", "\u4e2d\u6587 film", "\ud800 $a_b^2$ %s"])
def test_every_text_has_a_page_and_pictures(explain, single, text, recwarn):
    found = explain(single, text)
    body = re.search(r"<p class='text' dir='auto'>(.*?)</p>", found.page, re.DOTALL).group(1)
    assert html.unescape(re.sub("<[^>]+>", "", body)) == text.replace("\ud800", "\ufffd")
    for name in ("attributions", "attention"):
        assert_is_a_picture(found.output / f"{name}.png")
    assert not [warning for warning in recwarn if "Glyph" in str(warning.message)]


def test_a_long_text_is_cut_and_the_page_says_so(explain, single, capsys):
    found = explain(single, "a fine film " * 100)
    note = "The text is longer than the model reads at once: 14 tokens of it are explained here."
    assert note in found.read.text and note in capsys.readouterr().out
    assert len(found.read.words) == 12
    assert re.search(r'<span class="unseen">[ a-z]{1000,}</span>', found.page)


def test_what_does_not_add_up_is_told(explain, single, monkeypatch):
    monkeypatch.setattr("keras_bert.models.integrated_gradients.TOLERANCE", 1e-12)
    with pytest.warns(UserWarning, match="do not sum to the difference"):
        found = explain(single, TEXT)
    assert "The words do not add up to the difference of the scores, to 1 %" in found.read.text


# ---- Other models


def test_pairs_have_both_texts(explain):
    classifier = make_classifier(pairs=True)
    found = explain(classifier, "a good film", "--text-pair", "Bad \u4e2d!")
    assert found.page.count("<p class='text'") == 2
    assert [word["word"] for word in found.read.words] == ["a", "good", "film", "Bad", "\u4e2d", "!"]


def test_a_regression_has_a_value(explain):
    classifier = make_classifier(None, "regression")
    found = explain(classifier, TEXT)
    assert f"The value is {classifier.predict([TEXT], verbose=0)[0, 0]:.4g}." in found.read.text
    assert found.shown.attributions[0].target == "value"


def test_an_answer_is_explained_at_both_ends(explain):
    labeler, question, context = make_labeler(), "a b", "a b <c> \u4e2d\u56fd d bkl. " * 4
    found = explain(labeler, "--question", question, "--context", context)
    (answer,) = labeler.predict(([question], [context]), verbose=0)
    ((start, end),) = labeler.attributions(([question], [context]))
    assert "longer than the model reads" in found.read.text
    marked = [word["word"] for word in found.read.words if "answer" in word["class"]]
    assert marked and "".join(marked) == re.sub(r"\s", "", answer["answer"])
    sums = [
        f"{a['value'] + b['value']:+.3f} ({a['value']:+.3f} and {b['value']:+.3f})"
        for a, b in zip(start.words(), end.words(), strict=True)
    ]
    assert [word["title"] for word in found.read.words] == sums
    assert f"\u201c{answer['answer']}\u201d" in found.read.text and f"{answer['score']:.4f}" in found.read.text


def test_no_answer_is_explained_too(explain):
    found = explain(make_labeler(no_answer_threshold=-1e6), "--question", "a", "--context", "b c d")
    assert found.shown.title == "no answer" and "no answer" in found.read.text
    assert not any("answer" in word["class"] for word in found.read.words)


# ---- What is refused


def test_flags_that_do_not_fit_are_refused(explain, single, tmp_path, capsys):
    pair, labeler, encoder = (str(tmp_path / name) for name in ("pair", "labeler", "encoder"))
    make_classifier(pairs=True).save_to_preset(pair)
    make_labeler().save_to_preset(labeler)
    make_classifier().encoder.save_to_preset(encoder)
    refusals = {
        (): "Received: no PRESET. Make one with `python recipes/finetune_classifier.py`",
        (single,): "There must be a text to explain, or a question and its context. Received: neither.",
        (labeler, "--question", "a"): "There must be a text to explain, or a question and its context.",
        (single, "a", "--question", "b", "--context", "c"): "Received: flags for both. Leave those of one out.",
        (single, "--label", "x", "--question", "b", "--context", "c"): "Received: flags for both.",
        (labeler, "a"): "must be a fine-tuned classifier. Received: ",
        (single, "--question", "b", "--context", "c"): "must be a fine-tuned span labeler. Received: ",
        (encoder, "a"): "whose head is none. Fine-tune it with recipes/finetune_classifier.py",
        (single, "a", "--text-pair", "b"): "The model takes single texts. Received: a pair. Leave --text-pair out.",
        (pair, "a"): "The model takes pairs of texts. Received: one text. Add --text-pair.",
        (single, "a", "--label", "x"): "`label` must be one of negative, positive. Received: 'x'.",
        (str(tmp_path / "nowhere"), "a"): "nowhere",
    }
    for flags, message in refusals.items():
        with pytest.raises(SystemExit):
            explain.main([*flags, "--output", str(tmp_path / "out")])
        assert message in " ".join(capsys.readouterr().err.split()), flags
    assert not (tmp_path / "out").exists()
    (tmp_path / "file").write_text("")
    with pytest.raises(SystemExit):
        explain.main([single, "a", "--output", str(tmp_path / "file")])
    assert "file" in capsys.readouterr().err
