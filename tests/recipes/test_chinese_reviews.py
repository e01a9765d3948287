"""Chinese, from strings to labels: the recipe learns real reviews with a small BERT that starts from nothing."""

import collections

import finetune_classifier as recipe
import pytest

import keras_bert

SIZE = {"num_layers": 2, "num_heads": 2, "hidden_dim": 128, "intermediate_dim": 512}


def without_repeats(shared_data, split, seen):
    rows = []
    for line in (shared_data / "chnsenticorp" / f"{split}.tsv").read_text(encoding="utf-8").splitlines()[1:]:
        label, text = line.split("\t", 1)
        if text not in seen:
            seen.add(text)
            rows.append((label, text))
    return rows


@pytest.mark.slow
def test_random_weights_beat_the_majority_by_25_points(shared_data, tmp_path, capsys):
    seen = set()
    splits = {split: without_repeats(shared_data, split, seen) for split in ("train", "dev")}
    # The counts of SOURCE.md: 9,600 and 1,200 rows less the repeats.
    assert len(splits["train"]) > 8000 and len(splits["dev"]) > 700
    for split, rows in splits.items():
        lines = ["label\ttext", *(f"{label}\t{text}" for label, text in rows)]
        (tmp_path / f"{split}.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    vocabulary = shared_data / "bert_vocab" / "bert-base-chinese-vocab.txt"
    tokenizer = keras_bert.BertTokenizer(vocabulary=str(vocabulary), lowercase=True)
    encoder = keras_bert.BertEncoder(vocabulary_size=len(tokenizer.vocabulary), **SIZE)
    classifier = keras_bert.BertClassifier(encoder, keras_bert.BertPreprocessor(tokenizer), num_classes=2)
    classifier.save_to_preset(tmp_path / "random")

    flags = ["--preset", "random", "--train", "train.tsv", "--dev", "dev.tsv", "--output", "out"]
    flags = [flag if flag.startswith("--") else str(tmp_path / flag) for flag in flags]
    accuracy = recipe.main([*flags, "--epochs", "3", "--learning-rate", "1e-3"])["dev"]["accuracy"]
    most = collections.Counter(label for label, _ in splits["dev"]).most_common(1)[0][1]
    majority = most / len(splits["dev"])
    with capsys.disabled():
        print(f"\nChnSentiCorp, {len(splits['dev'])} dev texts: {accuracy:.3f}, majority {majority:.3f}")
    assert accuracy >= majority + 0.25
