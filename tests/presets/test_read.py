"""Where a preset comes from, how weights are checked, and that the examples run."""

import doctest
import importlib
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from keras_bert.presets.names import check_weights, encoder_names
from keras_bert.presets.read import read_preset


def test_what_is_no_preset_is_named(tmp_path):
    rule = "`preset` must be a directory, 'novels_mini_en_uncased', 'hf://owner/repo'"
    with pytest.raises(ValueError, match=f"{rule}.*Received: './nowhere/at/all', no such directory"):
        read_preset("./nowhere/at/all")
    with pytest.raises(ValueError, match="write 'hf://google-bert/bert-base-uncased'"):
        read_preset("google-bert/bert-base-uncased")
    (tmp_path / "file").write_text("x")
    with pytest.raises(ValueError, match="file', a file."):
        read_preset(tmp_path / "file")


def test_a_real_sentence_transformers_model_is_read(shared, tmp_path):
    source = shared / "models" / "all-MiniLM-L6-v2"
    for path in source.iterdir():
        (tmp_path / path.name).symlink_to(path)
    (tmp_path / "1_Pooling").mkdir()
    (tmp_path / "1_Pooling" / "config.json").write_text('{"word_embedding_dimension": 384}')
    config, vocabulary, weights = read_preset(tmp_path)
    assert check_weights(encoder_names(config["encoder"]), weights) == ([], [])
    assert config["encoder"]["activation"] == "gelu" and config["encoder"]["num_layers"] == 6
    assert (config["task"], config["head"], config["preprocessor"]) == (None, {}, {})
    assert config["tokenizer"] == {
        "lowercase": True,
        "strip_accents": None,
        "special_tokens_in_text": False,
        "never_split": [],
    }
    assert len(vocabulary) == 30522 and vocabulary[103] == "[MASK]"
    (tmp_path / "vocab.txt").unlink()
    assert read_preset(tmp_path, load_weights=False)[1] == vocabulary


def test_more_tokens_than_rows_are_refused(preset, edit):
    edit(preset / "config.json", vocab_size=10)
    with pytest.raises(ValueError, match="11 tokens and a vocabulary size of 10"):
        read_preset(preset, load_weights=False)


def test_weights_are_checked_by_name_and_shape(encoder, encoder_weights):
    expected = encoder_names(encoder)
    assert check_weights(expected, encoder_weights) == ([], [])
    del encoder_weights["pooler.dense.bias"]
    encoder_weights["qa_outputs.bias"] = np.zeros(2)
    optional = check_weights(expected, encoder_weights, optional=("pooler.",))
    assert optional == (["pooler.dense.bias"], ["qa_outputs.bias"])
    with pytest.raises(ValueError, match=r"1 missing \(pooler.dense.bias\). Use the configuration that"):
        check_weights(expected, encoder_weights)
    encoder_weights["embeddings.LayerNorm.bias"] = np.zeros(13)
    shape = r"1 of another shape \(embeddings.LayerNorm.bias: \(13,\) instead of \(12,\)\) and 1 missing"
    with pytest.raises(ValueError, match=shape):
        check_weights(expected, encoder_weights)
    with pytest.raises(ValueError, match=f"{len(expected)} missing .* and {len(expected) - 10} more"):
        check_weights(expected, {})


@pytest.mark.parametrize("module", ["atomic", "lora", "names", "read", "write"])
def test_examples_run(module, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(f"keras_bert.presets.{module}")
    result = doctest.testmod(module, extraglobs={"np": np})
    assert result.attempted and not result.failed


def test_reading_a_preset_imports_no_framework(preset):
    code = (
        "import sys; from keras_bert.presets.read import read_preset; read_preset(sys.argv[1]);"
        "found = {'tensorflow', 'keras', 'torch', 'jax', 'keras_hub', 'huggingface_hub'} & set(sys.modules);"
        "sys.exit(str(found) if found else 0)"
    )
    root = pathlib.Path(__file__).resolve().parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    subprocess.run([sys.executable, "-c", code, str(preset)], check=True, env=environment)
