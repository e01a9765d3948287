"""Trains a WordPiece vocabulary on raw text and writes it as vocab.txt, one token a line.

    python tools/train_vocabulary.py corpus/ --size 30522 --output vocab.txt

The corpus is .txt, .jsonl or .tfrecord files, plain or compressed, by name, folder or glob. It is read three times as a
stream: for its characters, to train, and for the report, which tells how many pieces a word takes, what share of the
words is unknown, and the longest of these. The same text gives the same vocabulary.
"""

import argparse
import collections
import heapq
import itertools
import pathlib
import sys

import numpy as np

import keras_bert

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
LONGEST_SHOWN = 20
BATCH = 512  # paragraphs


def main(argv: list[str] | None = None) -> dict:
    """Trains and writes the vocabulary and returns its report."""
    parser = build_parser()
    args = parser.parse_args(argv)
    try:
        import tokenizers
    except ImportError:
        parser.error(
            "Vocabularies are trained by the package tokenizers. Install it: pip install tokenizers."
        )
    try:
        files = keras_bert.data.find_files(args.corpus)
        reading = keras_bert.data.ReadingReport()
        tokens = train(tokenizers, files, args, reading)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    with keras_bert.presets.atomic_file(args.output) as new:
        new.write_bytes("".join(f"{token}\n" for token in tokens).encode("utf-8"))
    found = measure(tokens, files, args)
    found |= {"documents": reading.documents, "bytes": reading.bytes, "invalid_bytes": reading.invalid_bytes}
    print(describe(found))
    print(f"Written: {args.output}")
    return found


def build_parser() -> argparse.ArgumentParser:
    """Returns the parser of this tool's flags."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("corpus", nargs="+", help="Files, folders or globs of .txt, .jsonl or .tfrecord, plain or compressed.")
    add("--output", type=pathlib.Path, default="vocab.txt", help="Default: vocab.txt.")
    add("--size", type=int, default=30522, help="Tokens, special and unused ones included. Default: 30522.")
    add("--cased", action="store_true", help="Keeps case and accents. Default: lower-cased, without accents.")
    add("--min-frequency", type=int, default=2, help="A rarer pair of pieces is not joined. Default: 2.")
    add("--alphabet", type=int, default=6000, help="Different characters at most. Default: 6000.")
    add(
        "--unused",
        type=int,
        default=0,
        help="[unused0], ... to be replaced by tokens of one's own. Default: 0.",
    )
    add(
        "--multiple",
        type=int,
        default=1,
        help="Fills up with unused tokens to a multiple, 64 say. Default: 1.",
    )
    add("--text-field", default="text", help="Field of a .jsonl line. Default: text.")
    return parser


def train(tokenizers, files: list, args: argparse.Namespace, reading: keras_bert.data.ReadingReport) -> list[str]:
    """Trains on the files and returns the tokens in the order of their ids."""
    special = [SPECIAL_TOKENS[0], *(f"[unused{i}]" for i in range(args.unused)), *SPECIAL_TOKENS[1:]]
    if args.size <= len(special):
        raise ValueError(f"--size must leave room for words. Received: {args.size}, {len(special)} are special.")
    if args.multiple < 1:
        raise ValueError(f"--multiple must be at least 1. Received: {args.multiple}.")
    model = tokenizers.Tokenizer(tokenizers.models.WordPiece(unk_token="[UNK]"))
    model.normalizer = tokenizers.normalizers.BertNormalizer(lowercase=not args.cased)
    model.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    characters = alphabet(model.normalizer, paragraphs(files, args, reading), args.alphabet)
    if not characters:
        raise ValueError("A corpus must hold text. Received: files without any.")
    # The trainer numbers the characters in an order that changes from run to run, and breaks ties by number.
    characters += [f"##{character}" for character in characters]
    trainer = tokenizers.trainers.WordPieceTrainer(
        vocab_size=args.size,
        min_frequency=args.min_frequency,
        limit_alphabet=len(characters) // 2,
        special_tokens=special + characters,
        show_progress=sys.stderr.isatty(),
    )
    model.train_from_iterator(paragraphs(files, args), trainer)
    ids = model.get_vocab()
    tokens = sorted(ids, key=ids.get)
    missing = -len(tokens) % args.multiple
    return tokens + [f"[unused{i}]" for i in range(args.unused, args.unused + missing)]


def alphabet(normalizer, texts, limit: int) -> list[str]:
    """Lists the most frequent characters, sorted; where the limit falls among equally frequent ones, none of these."""
    counts = collections.Counter()
    for text in texts:
        counts.update(normalizer.normalize_str(text))
    counts = {character: count for character, count in counts.items() if not character.isspace()}
    ranked = sorted(counts.values(), reverse=True)
    least = ranked[limit] if len(ranked) > limit else 0
    return sorted(character for character, count in counts.items() if count > least)


def paragraphs(files: list, args: argparse.Namespace, reading: keras_bert.data.ReadingReport | None = None):
    """Yields the corpus, paragraph by paragraph."""
    documents = keras_bert.data.read_documents(files, text_field=args.text_field, report=reading)
    return itertools.chain.from_iterable(documents)


def measure(tokens: list[str], files: list, args: argparse.Namespace) -> dict:
    """Counts what the vocabulary makes of the corpus, with the tokenizer that a model will use."""
    tokenizer = keras_bert.BertTokenizer(tokens, lowercase=not args.cased)
    unknown_id = tokens.index("[UNK]")
    goes_on = np.array([token.startswith("##") for token in tokens])
    pieces = words = 0
    unknown, longest = 0, set()
    stream = paragraphs(files, args)
    while batch := list(itertools.islice(stream, BATCH)):
        ids = tokenizer(batch).flat_values.numpy()
        pieces += len(ids)
        words += int((~goes_on[ids]).sum())
        if (ids == unknown_id).any():
            found = unknown_words(tokenizer, batch, unknown_id)
            unknown += len(found)
            longest = set(
                heapq.nlargest(LONGEST_SHOWN, longest | set(found), key=lambda word: (len(word), word))
            )
    return {
        "tokens": len(tokens),
        "words": words,
        "pieces_per_word": pieces / max(words, 1),
        "unknown_share": unknown / max(words, 1),
        "longest_unknown": sorted(longest, key=lambda word: (-len(word), word)),
    }


def unknown_words(tokenizer, texts: list[str], unknown_id: int) -> list[str]:
    """Lists the words of some texts that became [UNK]."""
    ids, starts, ends = (ragged.to_list() for ragged in tokenizer.tokenize_with_offsets(texts))
    return [
        text[low:high]
        for text, *columns in zip(texts, ids, starts, ends, strict=True)
        for token_id, low, high in zip(*columns, strict=True)
        if token_id == unknown_id
    ]


def describe(found: dict) -> str:
    """Writes the report for a reader."""
    lines = [
        f"{found['documents']:,} documents, {found['bytes'] / 1e6:,.1f} MB, {found['invalid_bytes']:,} invalid bytes.",
        f"{found['tokens']:,} tokens; {found['words']:,} words, {found['pieces_per_word']:.3f} pieces each, "
        f"{100 * found['unknown_share']:.4f} % unknown.",
    ]
    if found["longest_unknown"]:
        shown = ", ".join(repr(word[:60]) for word in found["longest_unknown"])
        lines.append(f"Longest unknown: {shown}.")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
