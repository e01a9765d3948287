"""Small records to pre-train on."""

import numpy as np
import pytest

import keras_bert

WORDS = ["w" + "abcdefghij"[i // 10] + "abcdefghij"[i % 10] for i in range(100)]


@pytest.fixture(scope="session")
def records(tmp_path_factory):
    """A folder of shards: six documents of thirty sentences."""
    folder = tmp_path_factory.mktemp("records")
    rng = np.random.default_rng(0)
    for i in range(6):
        sentences = (" ".join(rng.choice(WORDS, rng.integers(3, 12))).capitalize() + "." for _ in range(30))
        (folder / f"{i}.txt").write_text(" ".join(sentences))
    tokenizer = keras_bert.BertTokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", *WORDS])
    keras_bert.data.build_records(sorted(folder.iterdir()), tokenizer, folder / "records", shard_size=1000)
    return folder / "records"
