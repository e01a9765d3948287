"""Makes a model to pre-train whose token table begins with what counts of neighbours tell, and not at random.

    python tools/initialize_embeddings.py records --size mini --output start
    python recipes/pretrain_tpu.py --data records --preset start

A transformer that begins at random spends its first millions of tokens on which words are alike: for a small budget too
many. Counts tell it in a minute: each pair of tokens, up to five places apart, weighs 1 over the distance; the
positive pointwise mutual information of all pairs is factorized, and a token's row is its factor. The bias of the
masked-LM head begins with the logarithm of the tokens' frequencies. All else is random.

Reference: Levy, Goldberg and Dagan, 2015 (https://aclanthology.org/Q15-1016).
"""

import argparse
import pathlib

import keras
import numpy as np
import tqdm

import keras_bert

WINDOW = 5
SMOOTHING = 0.75  # of the frequencies of contexts, so that rare ones do not stand out
LENGTH = 0.6  # of a row: more than a position's, 0.3, so that words are told apart first


def main(argv: list[str] | None = None) -> dict:
    """Makes the preset and returns what was counted."""
    parser = build_parser()
    args = parser.parse_args(argv)
    try:
        import scipy.sparse
        from sklearn.utils.extmath import randomized_svd
    except ImportError:
        parser.error("Counts are factorized by scikit-learn. Install it: pip install scikit-learn.")
    try:
        manifest = keras_bert.data.read_manifest(args.records)
        tokenizer, width = manifest.tokenizer(), keras_bert.SIZES[args.size]["hidden_dim"]
        if len(tokenizer.vocabulary) <= width:
            found = f"{len(tokenizer.vocabulary)} tokens for a width of {width}"
            raise ValueError(f"The vocabulary must be larger than the model is wide. Received: {found}. Lower --size.")
        frequencies, pairs = count(manifest, len(tokenizer.vocabulary), args.tokens, scipy.sparse.coo_matrix)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    factors, strengths, _ = randomized_svd(information(pairs), width, random_state=args.seed)
    keras.utils.set_random_seed(args.seed)
    encoder = keras_bert.BertEncoder(len(tokenizer.vocabulary), max_sequence_length=512, **keras_bert.SIZES[args.size])
    preprocessor = keras_bert.BertPreprocessor(tokenizer, sequence_length=512)
    pretrainer = keras_bert.BertPretrainer(encoder, preprocessor)
    table = encoder.embeddings.token_embedding.embeddings
    table.assign(rows_of_table(factors * np.sqrt(strengths), keras.ops.convert_to_numpy(table)))
    logarithms = np.log((frequencies + 0.5) / (frequencies + 0.5).sum())
    pretrainer.masked_lm_head.bias.assign(logarithms - logarithms.mean())
    pretrainer.save_to_preset(args.output)
    found = {"tokens": int(frequencies.sum()), "pairs": int(pairs.nnz)}
    print(f"{found['tokens']:,} tokens, {found['pairs']:,} different pairs. Written: {args.output}")
    return found


def build_parser() -> argparse.ArgumentParser:
    """Returns the parser of this tool's flags."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("records", help="Folder that tools/build_pretraining_data.py made.")
    add("--size", choices=keras_bert.SIZES, default="mini", help="Of the model. Default: mini.")
    add("--tokens", type=int, default=50_000_000, help="Counts about so many, and leaves the rest. Default: 50000000.")
    add("--seed", type=int, default=0, help="Default: 0.")
    add("--output", type=pathlib.Path, default="output/start", help="The preset to write. Default: output/start.")
    return parser


def count(manifest, vocabulary_size: int, most_tokens: int, matrix) -> tuple:
    """Counts tokens and pairs of neighbours, shard by shard.

    Args:
        manifest: `Manifest`.
        vocabulary_size: int, V.
        most_tokens: int. Counting ends with the shard that reaches it.
        matrix: `scipy.sparse.coo_matrix`.

    Returns:
        int array `(V,)` and a sparse float32 matrix `(V, V)`, the same both ways.
    """
    shape = (vocabulary_size, vocabulary_size)
    frequencies, pairs = np.zeros(vocabulary_size, np.int64), matrix(shape, dtype="float32").tocsr()
    for shard in tqdm.tqdm(manifest.shards, unit=" shards", disable=None):
        token_ids = keras_bert.data.read_token_ids(manifest.path_of(shard))
        frequencies += np.bincount(token_ids, minlength=vocabulary_size)
        for distance in range(1, WINDOW + 1):
            before, after = token_ids[:-distance], token_ids[distance:]
            weights = np.full(len(before), 1 / distance, "float32")
            found = matrix((weights, (before, after)), shape).tocsr()
            pairs = pairs + found + found.T
        if frequencies.sum() >= most_tokens:
            break
    return frequencies, pairs


def information(pairs):
    """Turns counts into positive pointwise mutual information."""
    totals = np.asarray(pairs.sum(axis=1)).ravel()
    contexts = totals**SMOOTHING / (totals**SMOOTHING).sum()
    pairs = pairs.tocoo(copy=True)
    pairs.data = np.maximum(np.log(pairs.data / (totals[pairs.row] * contexts[pairs.col])), 0)
    pairs = pairs.tocsr()
    pairs.eliminate_zeros()
    return pairs


def rows_of_table(factors: np.ndarray, random_rows: np.ndarray) -> np.ndarray:
    """Brings the factors to one length around 0; tokens that were not seen keep their random rows."""
    was_seen = np.abs(factors).max(axis=1) > 1e-6
    factors = factors - factors[was_seen].mean(axis=0)
    lengths = np.maximum(np.linalg.norm(factors, axis=1, keepdims=True), 1e-9)
    return np.where(was_seen[:, None], LENGTH * factors / lengths, random_rows).astype("float32")


if __name__ == "__main__":
    main()
