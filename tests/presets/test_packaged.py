"""The presets that come with the package: small, whole, read by name from anywhere, and as good as their cards say."""

import pathlib
import re
import tarfile

import keras
import numpy as np
import pytest

import keras_bert
from keras_bert.presets import PACKAGED

FOLDER = pathlib.Path(keras_bert.presets.__file__).parent
# Written for this test; the word that is hidden comes last.
SENTENCES = [
    ("She shook her [MASK] and said nothing.", "head"),
    ("He opened the [MASK] and went out into the garden.", "door"),
    ("They had been married for twenty [MASK].", "years"),
    ("The old man sat down by the [MASK] to warm his hands.", "fire"),
    ("I do not know what you [MASK].", "mean"),
    ("Once upon a [MASK] there was a king.", "time"),
    ("She looked at him with tears in her [MASK].", "eyes"),
    ("He put his hand in his [MASK] and took out a letter.", "pocket"),
]


@pytest.mark.parametrize("name", PACKAGED)
def test_it_is_small_and_says_what_it_is(name):
    files = {path.name for path in (FOLDER / name).iterdir()}
    model = {"config.json", "vocab.txt", "tokenizer_config.json", "model.safetensors"}
    assert files == model | {"README.md", "learning_curve.png"}
    assert (FOLDER / name / "model.safetensors").stat().st_size <= 15_000_000
    card = (FOLDER / name / "README.md").read_text(encoding="utf-8")
    for part in (f"# {name}", "## Data", "## Training", "## Scores", "## Limits", "learning_curve.png", "SST-2"):
        assert part in card, part
    assert (FOLDER / name / "learning_curve.png").read_bytes()[1:4] == b"PNG"


@pytest.mark.parametrize("name", PACKAGED)
def test_it_fills_masks(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    texts, words = zip(*SENTENCES, strict=True)
    guesses = keras_bert.BertMaskedLM.from_preset(name).predict(list(texts), top_k=10, verbose=0)
    found = [word in [filling["token"] for filling in masks[0]] for masks, word in zip(guesses, words, strict=True)]
    assert sum(found) >= 6, found


@pytest.mark.parametrize("name", PACKAGED)
def test_transformers_gives_the_same_hidden_states(name):
    transformers, torch = pytest.importorskip("transformers"), pytest.importorskip("torch")
    model = transformers.BertModel.from_pretrained(FOLDER / name, dtype=torch.float32, add_pooling_layer=False)
    tokenizer = transformers.AutoTokenizer.from_pretrained(FOLDER / name)
    texts = [text for text, _ in SENTENCES]
    with torch.no_grad():
        encoded = tokenizer(texts, padding=True, return_tensors="pt")
        theirs = model.eval()(**encoded).last_hidden_state.numpy()
    preprocessor = keras_bert.BertPreprocessor.from_preset(name, sequence_length=64)
    encoder = keras_bert.BertEncoder.from_preset(name)
    plain = [text.replace("[MASK]", "word") for text in texts]
    assert preprocessor(plain)["token_ids"].numpy().tolist() == tokenizer(plain, padding=True)["input_ids"]
    inputs = {
        "token_ids": encoded["input_ids"].numpy(),
        "segment_ids": encoded["token_type_ids"].numpy(),
        "padding_mask": encoded["attention_mask"].numpy(),
    }
    real = inputs["padding_mask"] > 0
    ours = keras.ops.convert_to_numpy(encoder(inputs)["sequence_output"])
    # States of a trained model reach 5, of which 1e-5 are two units of float32.
    np.testing.assert_allclose(ours[real], theirs[real], rtol=1e-5, atol=1e-5)


@pytest.mark.slow
def test_held_out_novels_have_the_accuracy_of_the_card(shared_data, tmp_path):
    name = PACKAGED[0]
    card = (FOLDER / name / "README.md").read_text(encoding="utf-8")
    loss, accuracy = map(float, re.search(r"loss ([\d.]+), accuracy ([\d.]+)", card).groups())
    books = re.findall(r"\w+_\w+_\d{4}\.txt", card)
    assert len(books) == 3
    with tarfile.open(shared_data / "novels_en" / "novels-train.tar.xz") as archive:
        for member in archive:
            if pathlib.Path(member.name).name in books:
                (tmp_path / pathlib.Path(member.name).name).write_bytes(archive.extractfile(member).read())
    pretrainer = keras_bert.BertPretrainer.from_preset(name, next_sentence=False)
    files = keras_bert.data.find_files([tmp_path])
    assert len(files) == 3
    manifest = keras_bert.data.build_records(files, pretrainer.preprocessor.tokenizer, tmp_path / "records")
    stream = keras_bert.data.pretraining_batches(
        manifest, row_size=128, batch_size=64, seed=5, next_sentence="none", num_streams=1
    )
    logs = pretrainer.evaluate(stream, steps=45, verbose=0, return_dict=True)
    assert logs["loss"] == pytest.approx(loss, abs=0.03)
    assert logs["masked_lm_logits_accuracy"] == pytest.approx(accuracy, abs=0.01)
