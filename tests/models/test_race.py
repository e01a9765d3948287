"""Questions of RACE: what was learned on other pairs of texts, and on a part of its passages, answers the rest."""

import csv
import json

import keras
import numpy as np
import pytest

import keras_bert


def pairs_of_sick(shared_data):
    with open(shared_data / "sick" / "SICK_train.txt", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    pairs = tuple([row[name] for row in rows] for name in ("sentence_A", "sentence_B"))
    return pairs, [float(row["relatedness_score"]) - 3 for row in rows]


def questions_of(passages):
    columns = [], [], [], []
    for passage in passages:
        for question, options, answer in zip(passage["questions"], passage["options"], passage["answers"], strict=True):
            for column, value in zip(columns, (passage["article"], question, options, "ABCD".index(answer))):
                column.append(value)
    return columns[:3], columns[3]


@pytest.mark.slow
def test_a_part_of_race_answers_the_rest_better_than_chance(shared_data, shared_models, tmp_path, capsys):
    """The score of a regression, how much two sentences have to do with each other, is what choices begin with."""
    keras.utils.set_random_seed(0)
    model = str(shared_models / "all-MiniLM-L6-v2")
    relatedness = keras_bert.BertClassifier.from_preset(model, task="regression", sequence_length=64)
    relatedness.compile(learning_rate=1e-4)
    pairs, scores = pairs_of_sick(shared_data)
    relatedness.fit(pairs, scores, epochs=2, batch_size=16, verbose=0)
    relatedness.save_to_preset(tmp_path)

    passages = json.loads((shared_data / "race_middle" / "dev.json").read_text(encoding="utf-8"))
    order = np.random.default_rng(0).permutation(len(passages))
    cut = len(passages) * 3 // 10
    held_out, train = ([passages[i] for i in part] for part in (order[:cut], order[cut:]))
    chooser = keras_bert.BertMultipleChoice.from_preset(tmp_path, sequence_length=96)
    chooser.freeze_encoder(except_top=2)
    chooser.compile(learning_rate=1e-4)
    x, y = questions_of(train)
    chooser.fit(tuple(x), y, epochs=3, batch_size=8, verbose=0)
    x, y = questions_of(held_out)
    accuracy = (chooser.predict(tuple(x), verbose=0).argmax(axis=1) == np.array(y)).mean()
    error = (accuracy * (1 - accuracy) / len(y)) ** 0.5
    with capsys.disabled():
        print(f"\nRACE-middle, {len(y)} questions of other passages: {accuracy:.3f}, standard error {error:.3f}")
    assert accuracy - 3 * error > 0.25
