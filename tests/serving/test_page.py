"""Every request on the serving page is answered, in the form that it says."""

import json
import re

import pytest

from tests.heads import MAKERS
from tests.servers import served

ANSWERS = {"instances": "predictions", "inputs": "outputs", "examples": "results"}


@pytest.fixture
def page(root):
    return (root / "keras_bert" / "serving" / "README.md").read_text("utf-8")


@pytest.mark.parametrize("head", MAKERS)
def test_every_request_on_the_page_is_answered(page, head, tmp_path):
    section = page.partition(f"### {head}\n")[2].partition("\n### ")[0]
    blocks = re.findall(r"```json ?(\w*)\n(.*?)```", section, re.DOTALL)
    assert {"instances", "inputs"} <= {key for _, body in blocks for key in json.loads(body)}
    MAKERS[head]().export(tmp_path / "model" / "1")
    card = json.loads((tmp_path / "model" / "1" / "model_card.json").read_text("utf-8"))
    with served(tmp_path / "model", warm_up=False) as client:
        for verb, body in blocks:
            status, answer = client.rest(json.loads(body), f":{verb or 'predict'}")
            assert status == 200, answer
            (form,) = set(json.loads(body)) & set(ANSWERS)
            assert set(answer) == {ANSWERS[form]}
    for name in card["signatures"]["serving_default"]["outputs"]:
        assert f"`{name}`" in section, name
