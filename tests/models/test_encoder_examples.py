"""The examples in the docstrings of the encoder and its layers run and give what they say."""

import doctest
import importlib

import numpy as np
import pytest

import keras_bert

MODULES = {
    "layers.activation": 1,
    "layers.choices": 2,
    "layers.dropout": 1,
    "layers.embeddings": 1,
    "layers.masked_lm_head": 1,
    "layers.norm": 1,
    "layers.pooler": 3,
    "layers.transformer_block": 1,
    "layers.unpadding": 1,
    "models.encoder": 3,
    "models.pretrainer": 1,
}


@pytest.mark.parametrize("module", MODULES)
def test_examples_run(module, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"np": np, "keras_bert": keras_bert}
    found = doctest.DocTestFinder().find(importlib.import_module(f"keras_bert.{module}"), extraglobs=names)
    found = [test for test in found if test.examples]
    runner = doctest.DocTestRunner()
    for test in found:
        runner.run(test)
    assert runner.summarize().failed == 0
    assert len(found) == MODULES[module]
