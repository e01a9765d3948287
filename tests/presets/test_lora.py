"""LoRA adapters in PEFT's layout."""

import json
import os

import numpy as np
import pytest
from safetensors.numpy import load_file

from keras_bert.presets import files
from keras_bert.presets.lora import read_lora, write_lora

HEAD = {
    "classifier.weight": np.arange(48, dtype="float32").reshape(4, 12),
    "classifier.bias": np.ones(4, "float32"),
}


@pytest.fixture
def pairs():
    rng = np.random.default_rng(0)
    names = [f"encoder.layer.{i}.attention.self.{part}" for i in range(2) for part in ("query", "value")]
    pairs = {f"{name}.lora_A.weight": rng.normal(size=(2, 12)) for name in names}
    pairs |= {f"{name}.lora_B.weight": rng.normal(size=(12, 2)) for name in names}
    return {name: tensor.astype("float32") for name, tensor in pairs.items()}


@pytest.fixture
def adapter(tmp_path, pairs):
    write_lora(tmp_path / "adapter", 2, 6, ["query", "value"], pairs, HEAD)
    return tmp_path / "adapter"


def test_an_adapter_is_read_back(adapter, pairs, assert_equal_weights):
    config, weights = read_lora(adapter)
    assert config == {"rank": 2, "alpha": 6, "target_modules": ["query", "value"]}
    assert_equal_weights(weights, pairs | HEAD)


def test_the_layout_is_pefts(adapter):
    names = sorted(load_file(adapter / "adapter_model.safetensors"))
    assert "base_model.model.bert.encoder.layer.0.attention.self.query.lora_A.weight" in names
    assert {"base_model.model.classifier.weight", "base_model.model.classifier.bias"} < set(names)
    fields = json.loads((adapter / "adapter_config.json").read_text())
    assert (fields["r"], fields["lora_alpha"], fields["task_type"]) == (2, 6, "SEQ_CLS")
    assert fields["modules_to_save"] == ["classifier"]


def test_peft_loads_it_and_computes_the_same_update(adapter, preset, pairs, weights):
    peft = pytest.importorskip("peft")
    transformers = pytest.importorskip("transformers")
    base = transformers.BertForSequenceClassification.from_pretrained(preset)
    state = peft.PeftModel.from_pretrained(base, adapter).merge_and_unload().state_dict()
    name = "encoder.layer.1.attention.self.value"
    update = 6 / 2 * pairs[f"{name}.lora_B.weight"] @ pairs[f"{name}.lora_A.weight"]
    merged = state[f"bert.{name}.weight"].numpy()
    np.testing.assert_allclose(merged, weights[f"{name}.weight"] + update, atol=1e-5)
    np.testing.assert_array_equal(state["classifier.weight"].numpy(), HEAD["classifier.weight"])


def test_an_adapter_of_peft_is_read(preset, tmp_path):
    peft = pytest.importorskip("peft")
    transformers = pytest.importorskip("transformers")
    base = transformers.BertForSequenceClassification.from_pretrained(preset)
    settings = peft.LoraConfig(task_type="SEQ_CLS", r=5, lora_alpha=7, target_modules=["query", "dense"])
    peft.get_peft_model(base, settings).save_pretrained(tmp_path / "theirs")
    config, weights = read_lora(tmp_path / "theirs")
    assert (config["rank"], config["alpha"]) == (5, 7) and set(config["target_modules"]) == {"query", "dense"}
    assert weights["encoder.layer.0.intermediate.dense.lora_B.weight"].shape == (20, 5)
    assert weights["classifier.weight"].shape == (4, 12)


def test_arrays_that_do_not_fit_are_refused(tmp_path, pairs):
    path = tmp_path / "adapter"
    with pytest.raises(ValueError, match=r"lora_A.weight \(3, in\) .* \(2, 12\).* and more. Check the rank"):
        write_lora(path, 3, 6, ["query"], pairs, HEAD)
    half = {name: tensor for name, tensor in pairs.items() if "lora_A" in name}
    with pytest.raises(ValueError, match="must hold for each layer lora_A"):
        write_lora(path, 2, 6, ["query"], half, HEAD)
    with pytest.raises(ValueError, match="must hold for each layer lora_A.* Received: none"):
        write_lora(path, 2, 6, ["query"], {}, HEAD)
    with pytest.raises(ValueError, match=r"`head_weights` must be named .* Received: \['pooler.x'\]"):
        write_lora(path, 2, 6, ["query"], pairs, {"pooler.x": np.ones(1)})
    assert not path.exists()


def test_other_adapters_are_refused(adapter, edit):
    edit(adapter / "adapter_config.json", use_dora=True, bias="all")
    with pytest.raises(
        ValueError, match="plain LoRA .* Received: peft_type='LORA', use_dora, bias .*merge_and"
    ):
        read_lora(adapter)
    edit(adapter / "adapter_config.json", use_dora=False, bias="none", peft_type="IA3")
    with pytest.raises(ValueError, match="peft_type='IA3'"):
        read_lora(adapter)
    (adapter / "adapter_model.safetensors").rename(adapter / "adapter_model.bin")
    with pytest.raises(ValueError, match="without adapter_model.safetensors. Pickles"):
        read_lora(adapter)


def test_a_full_disk_leaves_the_old_adapter(adapter, pairs, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    before = (adapter / "adapter_model.safetensors").read_bytes()
    monkeypatch.setattr(files, "save_file", full)
    with pytest.raises(OSError, match="No space"):
        write_lora(adapter, 2, 8, ["query"], pairs, HEAD)
    assert (adapter / "adapter_model.safetensors").read_bytes() == before
    assert json.loads((adapter / "adapter_config.json").read_text())["lora_alpha"] == 6
    assert os.listdir(adapter.parent) == ["adapter"]
