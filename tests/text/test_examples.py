"""The examples in the docstrings of the text room run and give what they say."""

import doctest
import importlib

import pytest

import keras_bert

MODULES = {"detokenize": 1, "packing": 1, "preprocessor": 1, "strings": 1, "tokenizer": 4, "vocabulary": 1}
MODULES |= {"choices": 1, "whole_words": 1}


@pytest.mark.parametrize("module", MODULES)
def test_examples_run(module):
    tests = doctest.DocTestFinder().find(
        importlib.import_module(f"keras_bert.text.{module}"), extraglobs={"keras_bert": keras_bert}
    )
    runner = doctest.DocTestRunner()
    for test in tests:
        runner.run(test)
    assert runner.summarize().failed == 0
    assert len([test for test in tests if test.examples]) == MODULES[module]
