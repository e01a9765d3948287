"""`hf://` addresses, against the documented layout of Hugging Face's cache and without a network."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

from keras_bert.presets.fetch import fetch_hugging_face

_READ = """
import json, sys
from keras_bert.presets.read import read_preset
for preset, load_weights in json.loads(sys.argv[1]):
    try:
        config, vocabulary, weights = read_preset(preset, load_weights)
        print(config["encoder"]["hidden_dim"], len(vocabulary), len(weights or ()))
    except ValueError as error:
        print(error)
"""


@pytest.mark.parametrize("variable", ["HF_HUB_CACHE", "HF_HOME"])
def test_the_cache_serves_without_a_network(preset, tmp_path, variable, weights):
    pytest.importorskip("huggingface_hub")
    cache = tmp_path / "cache" / "hub" if variable == "HF_HOME" else tmp_path / "cache"
    repository, commit = cache / "models--owner--repo", "0123456789abcdef0123456789abcdef01234567"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(commit)
    (repository / "refs" / "v2").write_text(commit)
    snapshot = repository / "snapshots" / commit
    snapshot.mkdir(parents=True)
    (repository / "blobs").mkdir()
    for path in preset.iterdir():
        path.rename(repository / "blobs" / path.name)
        (snapshot / path.name).symlink_to(repository / "blobs" / path.name)
    asked = [("hf://owner/repo", True), ("hf://owner/repo@v2", False), ("hf://owner/absent", True)]
    asked.append((f"hf://owner/repo@{commit}", True))
    environment = {k: v for k, v in os.environ.items() if not k.startswith("HF_")}
    environment |= {variable: str(tmp_path / "cache"), "HF_HUB_OFFLINE": "1"}
    result = subprocess.run(
        [sys.executable, "-c", _READ, json.dumps(asked)],
        cwd=pathlib.Path(__file__).resolve().parents[2],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    lines = result.stdout.splitlines()
    assert lines[:2] == [f"12 11 {len(weights)}", "12 11 0"]
    assert lines[2].startswith("'hf://owner/absent' could not be fetched: ")
    assert lines[-1] == f"12 11 {len(weights)}"


def test_only_what_is_read_is_fetched(monkeypatch, tmp_path):
    hub = pytest.importorskip("huggingface_hub")
    from huggingface_hub.utils import filter_repo_objects

    repository = ["config.json", "vocab.txt", "tokenizer.json", "1_Pooling/config.json", "run.py"]
    repository += ["model.safetensors", "pytorch_model.bin", "onnx/model.onnx", "onnx/model.safetensors"]
    repository += ["model-00001-of-00002.safetensors", "model.safetensors.index.json", "tf_model.h5"]
    calls = []

    def download(repo_id, revision, allow_patterns):
        calls.append(
            (repo_id, revision, sorted(filter_repo_objects(repository, allow_patterns=allow_patterns)))
        )
        return str(tmp_path)

    monkeypatch.setattr(hub, "snapshot_download", download)
    assert fetch_hugging_face("hf://owner/re-po.1@refs/pr/3") == tmp_path
    fetch_hugging_face("hf://bert-base-uncased", load_weights=False)
    light = ["1_Pooling/config.json", "config.json", "tokenizer.json", "vocab.txt"]
    shards = ["model-00001-of-00002.safetensors", "model.safetensors", "model.safetensors.index.json"]
    assert calls == [
        ("owner/re-po.1", "refs/pr/3", sorted(light + shards)),
        ("bert-base-uncased", None, light),
    ]


def test_a_malformed_address_is_refused():
    for address in ("hf://", "hf://a/b/c", "hf://a/b@", "hf:///etc"):
        with pytest.raises(ValueError, match=f"must be 'hf://owner/repo' .* Received: '{address}'"):
            fetch_hugging_face(address)
