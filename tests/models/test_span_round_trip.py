"""Every answer of SQuAD and XQuAD comes back from its windows as it stands in its context, from the export too."""

import collections
import json
import lzma

import pytest
import tensorflow as tf

import keras_bert
from keras_bert.data.span_windows import span_positions
from keras_bert.serving.saved_model import write_saved_model
from keras_bert.serving.signatures import Signature

SETS = {
    "squad_1_1": ("squad/dev-v1.1.rebuilt.json.xz", "bert-base-uncased-vocab.txt", True),
    "squad_2_0": ("squad/dev-v2.0.rebuilt.json.xz", "bert-base-uncased-vocab.txt", True),
    "xquad_zh": ("xquad/xquad.zh.json", "bert-base-chinese-vocab.txt", True),
}
# Longer than any answer, so that only the window bounds what can be answered.
LONGEST = 100


def read_examples(path):
    """(question, context, answer, start) of every different answer, and of questions without one."""
    content = path.read_bytes()
    dataset = json.loads(lzma.decompress(content) if path.suffix == ".xz" else content)
    examples = []
    for article in dataset["data"]:
        for paragraph in article["paragraphs"]:
            for question in paragraph["qas"]:
                places = {(answer["answer_start"], answer["text"]) for answer in question["answers"]} or {(0, "")}
                rows = ((question["question"], paragraph["context"], text, start) for start, text in sorted(places))
                examples.extend(rows)
    return examples


def make_labeler(vocabulary, lowercase):
    tokenizer = keras_bert.BertTokenizer(str(vocabulary), lowercase=lowercase)
    sizes = {"num_layers": 1, "num_heads": 1, "hidden_dim": 4, "intermediate_dim": 4, "max_sequence_length": 384}
    encoder = keras_bert.BertEncoder(len(tokenizer.vocabulary), **sizes)
    preprocessor = keras_bert.BertPreprocessor(tokenizer, sequence_length=384)
    return keras_bert.BertSpanLabeler(encoder, preprocessor, max_answer_length=LONGEST, no_answer_threshold=0.0)


def oracle_answers(labeler):
    """Answers as the labeler would, were it sure of the answers whose places it is told."""

    def answer(questions, contexts, places):
        places = tf.strings.to_number(tf.strings.split(places).to_tensor(shape=(None, 2)), tf.int32)
        windows = labeler.windows(questions, contexts, "longest")
        width = tf.shape(windows.inputs["token_ids"])[1]
        logits = (9 * tf.one_hot(place, width) for place in span_positions(windows, places))
        return labeler._decode(contexts, windows, *logits, n_best=1)

    return answer


@pytest.mark.slow
@pytest.mark.parametrize("name", SETS)
def test_every_answer_comes_back(name, shared_data, tmp_path, capsys):
    path, vocabulary, lowercase = SETS[name]
    examples = read_examples(shared_data / path)
    labeler = make_labeler(shared_data / "bert_vocab" / vocabulary, lowercase)
    names = ("question", "context", "place")
    variables = [v.value for v in labeler.variables]
    signatures = {"serving_default": Signature(oracle_answers(labeler), names)}
    write_saved_model(tmp_path / "1", signatures, variables)
    serve = tf.saved_model.load(str(tmp_path / "1")).signatures["serving_default"]
    eager, causes = oracle_answers(labeler), collections.Counter()
    for low in range(0, len(examples), 128):
        questions, contexts, texts, starts = zip(*examples[low : low + 128], strict=True)
        places = [f"{start} {start + len(text)}" for text, start in zip(texts, starts, strict=True)]
        columns = [tf.constant(column) for column in (questions, contexts, places)]
        answers = eager(*columns)
        served = serve(**dict(zip(names, columns, strict=True)))
        for part, values in answers.items():
            assert (served[part].numpy() == values.numpy()).all(), part
        ids, begins, ends = labeler.preprocessor.tokenizer.tokenize_with_offsets(columns[1])
        for row, (context, text, start) in enumerate(zip(contexts, texts, starts, strict=True)):
            found = answers["answer"][row].numpy().decode()
            if found == text and (not text or answers["start"][row].numpy() == start):
                causes["the same"] += 1
                continue
            causes[cause(context, text, start, found, begins[row].numpy(), ends[row].numpy())] += 1
    with capsys.disabled():
        print(f"\n{name}: {len(examples)} answers: {dict(causes)}")
    assert causes["unexplained"] == 0
    assert causes["the same"] > 0.97 * len(examples)


def cause(context, text, start, found, begins, ends):
    """Tells why an answer did not come back."""
    stop = start + len(text)
    tokens = [i for i, (begin, end) in enumerate(zip(begins, ends, strict=True)) if end > start and begin < stop]
    if not tokens:
        return "no token"
    begin, end = int(begins[tokens[0]]), int(ends[tokens[-1]])
    if (begin, end) != (start, stop) and found == context[begin:end]:
        return "an end within a token"
    if len(tokens) > LONGEST:
        return "longer than an answer may be"
    return "unexplained"
