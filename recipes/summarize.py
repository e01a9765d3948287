"""Summarizes a long document by its own sentences: those closest to what it is about, and not alike.

    python recipes/summarize.py --preset hf://sentence-transformers/all-MiniLM-L6-v2 --text report.txt --sentences 5

Every sentence has an embedding; their mean is what the document is about. Sentences are chosen one by one, the closest
to that mean first, less what they have in common with those chosen before (maximal marginal relevance, Carbonell and
Goldstein, 1998, https://doi.org/10.1145/290941.291025), and printed in the document's order. Works in English, Chinese
and every language of the preset; `recipes/sample_data/article_zh.txt` wants a Chinese one.

Without arguments it summarizes a sample article with the preset that the package carries, offline. The summary goes to
`--output`: `summary.txt`, a sentence a line, and `summary.json` with the places and the scores of the sentences.
"""

import argparse
import pathlib
import re

import numpy as np
import report
from flags import LENGTH, OUTPUT, PRESET, positive_int, writable_directory

import keras_bert

SAMPLE = pathlib.Path(__file__).parent / "sample_data" / "article.txt"
# Lines of a paragraph that is broken in the middle of Chinese or Japanese text are joined without a space.
_BROKEN = re.compile(r"(?<=[\u3000-\u9fff\uff00-\uffef])\s*\n\s*(?=[\u3000-\u9fff\uff00-\uffef])")


def main(argv: list[str] | None = None) -> dict:
    """Runs the recipe and returns what it writes to `summary.json`."""
    parser = build_parser()
    args = parser.parse_args(argv)
    try:
        output = writable_directory(args.output)
        sentences = read_sentences(args.text or str(SAMPLE))
        embedder = keras_bert.BertEmbedder.from_preset(
            args.preset or keras_bert.presets.PACKAGED[0], normalize=True, sequence_length=args.sequence_length
        )
    except (ValueError, OSError) as error:
        parser.error(str(error))
    embeddings = embedder.predict(sentences, verbose=0)
    places, scores = choose(embeddings, args.sentences, args.diversity)
    summary = [{"place": i, "sentence": sentences[i], "score": scores[i]} for i in places]
    print(f"{len(places)} of {len(sentences)} sentences:\n")
    for one in summary:
        print(one["sentence"])
    with keras_bert.presets.atomic_file(output / "summary.txt") as new:
        new.write_text("".join(one["sentence"] + "\n" for one in summary), encoding="utf-8", newline="\n")
    record = {"sentences": len(sentences), "summary": summary, "arguments": vars(args)}
    report.write_json(output / "summary.json", record)
    return record


def build_parser() -> argparse.ArgumentParser:
    """Returns the parser of this recipe's flags."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--text", help="A .txt file, its paragraphs parted by empty lines. Default: a sample article.")
    add("--sentences", type=positive_int, default=5, help="Sentences of the summary at most. Default: 5.")
    add("--diversity", type=share, default=0.3, help="0: only what is central; 1: only what is new. Default: 0.3.")
    add("--preset", help=f"{PRESET} Default: {keras_bert.presets.PACKAGED[0]}, a small English one.")
    add("--sequence-length", type=positive_int, default=128, help=f"{LENGTH} Default: 128.")
    add("--output", default="output/summarize", help=f"{OUTPUT} Default: output/summarize.")
    return parser


def share(text: str) -> float:
    """Reads a flag that must be a number from 0 to 1."""
    number = float(text)
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError(f"must be from 0 to 1, received {text}")
    return number


def read_sentences(source: str) -> list[str]:
    """Reads the sentences of a document, paragraph by paragraph.

    Args:
        source: str, a path.

    Returns:
        List of str, none empty.

    Raises:
        ValueError: the file is no UTF-8, or holds no sentence.
    """
    try:
        text = pathlib.Path(source).read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"A document must be UTF-8. Received: {error} in {source!r}. Convert it.") from error
    sentences = []
    for paragraph in re.split(r"\n\s*\n", text.replace("\r\n", "\n")):
        paragraph = " ".join(_BROKEN.sub("", paragraph).split())
        sentences += keras_bert.data.split_sentences(paragraph)
    if not sentences:
        raise ValueError(f"A document must hold a sentence. Received: {source!r}, which is empty.")
    return sentences


def choose(embeddings: np.ndarray, count: int, diversity: float) -> tuple[list[int], list[float]]:
    """Chooses sentences by maximal marginal relevance.

    Args:
        embeddings: float array `(n, H)`, rows of length 1.
        count: int. How many at most.
        diversity: float from 0 to 1.

    Returns:
        The places of the chosen ones, in order, and the cosine of each of the `n` with the mean of all.

    Example:
    >>> choose(np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]), 2, 0.5)[0]
    [0, 2]
    """
    centroid = embeddings.mean(axis=0)
    central = embeddings @ centroid / max(float(np.linalg.norm(centroid)), 1e-12)
    alike = np.zeros(len(embeddings))  # with the most similar of those chosen
    chosen = []
    for _ in range(min(count, len(embeddings))):
        value = (1 - diversity) * central - diversity * alike
        value[chosen] = -np.inf
        chosen.append(int(value.argmax()))
        new = embeddings @ embeddings[chosen[-1]]
        alike = new if len(chosen) == 1 else np.maximum(alike, new)
    return sorted(chosen), central.tolist()


if __name__ == "__main__":
    main()
