"""Reading the vocabulary and the tokenizer's settings as Hugging Face's tokenizers save them."""

import pathlib
import re

from keras_bert.presets.files import read_json, read_lines

SPECIAL_TOKENS = {  # the field of `tokenizer_config.json` and BERT's token
    "pad_token": "[PAD]",
    "unk_token": "[UNK]",
    "cls_token": "[CLS]",
    "sep_token": "[SEP]",
    "mask_token": "[MASK]",
}


def read_tokenizer(directory: pathlib.Path) -> tuple[list[str] | None, dict]:
    """Reads `vocab.txt`, or transformers v5's `tokenizer.json`, and the settings beside it.

    Tokens that were added after the vocabulary was made take their ids; those that are not special are never
    split.

    Args:
        directory: `pathlib.Path`.

    Returns:
        The vocabulary, a list of str in id order or None if there is no such file, and `BertTokenizer`'s
        settings.

    Raises:
        ValueError: if the text would be split in another way than BERT's, or ids contradict each other.
    """
    settings = _read_optional(directory / "tokenizer_config.json")
    fast = _read_optional(directory / "tokenizer.json")
    normalizer = fast.get("normalizer") or {}
    if (directory / "vocab.txt").is_file():
        tokens = dict(enumerate(read_lines(directory / "vocab.txt")))
    elif fast:
        tokens = _tokens_of_fast_tokenizer(fast, directory / "tokenizer.json")
    else:
        tokens = {}
    _check_splitting(settings, normalizer, directory)
    # Settings alone, as beside a model that was saved without its tokenizer, make no vocabulary.
    added = _added_tokens(directory, settings, fast) if tokens else {}
    for i, (token, _) in added.items():
        if tokens.setdefault(i, token) != token:
            raise ValueError(
                f"An added token must not take the id of another. Received: {token!r} with the id {i} of "
                f"{tokens[i]!r} in `{directory}`. Correct the ids of the added tokens."
            )
    vocabulary = _in_id_order(tokens, directory) if tokens else None
    lowercase = settings.get("do_lower_case", normalizer.get("lowercase"))
    never_split = list(settings.get("never_split") or []) + [
        added[i][0] for i in sorted(added) if not added[i][1]
    ]
    return vocabulary, {
        "lowercase": not is_cased(vocabulary or []) if lowercase is None else bool(lowercase),
        "strip_accents": settings.get("strip_accents", normalizer.get("strip_accents")),
        "special_tokens_in_text": False,
        "never_split": [t for t in dict.fromkeys(never_split) if t not in SPECIAL_TOKENS.values()],
    }


def is_cased(vocabulary: list[str]) -> bool:
    """Tells from its tokens whether a vocabulary was made from text with capital letters."""
    return any(re.fullmatch("(##)?[A-Z][A-Za-z]*", token) for token in vocabulary)


def _read_optional(path):
    return read_json(path) if path.is_file() else {}


def _tokens_of_fast_tokenizer(fast, path):
    model = fast.get("model") or {}
    parts = [(fast.get(part) or {}).get("type") for part in ("normalizer", "pre_tokenizer", "model")]
    if (
        parts != ["BertNormalizer", "BertPreTokenizer", "WordPiece"]
        or model.get("continuing_subword_prefix") != "##"
    ):
        raise ValueError(
            f"`{path}` must describe BERT's tokenizer: BertNormalizer, BertPreTokenizer, WordPiece with the "
            f"prefix '##'. Received: {', '.join(map(str, parts))} with "
            f"{model.get('continuing_subword_prefix')!r}. This model takes token ids that another tokenizer "
            "makes."
        )
    return {i: token for token, i in model["vocab"].items()}


def _check_splitting(settings, normalizer, directory):
    if not settings.get("tokenize_chinese_chars", normalizer.get("handle_chinese_chars", True)):
        raise ValueError(
            "Chinese characters must be tokens of their own. Received: tokenize_chinese_chars=false in "
            f"`{directory}`. No other splitting is built; tokenize with transformers and give token ids."
        )
    if "Japanese" in str(settings.get("tokenizer_class")) or not settings.get("do_basic_tokenize", True):
        raise ValueError(
            "Words must be split at spaces and punctuation. Received: a tokenizer that splits words "
            f"otherwise (tokenizer_class={settings.get('tokenizer_class')!r}, do_basic_tokenize="
            f"{settings.get('do_basic_tokenize', True)}) in `{directory}`. Tokenize with transformers and "
            "give token ids."
        )


def _added_tokens(directory, settings, fast):
    """Returns `{id: (token, is it special)}` from the four places where versions of transformers kept it."""
    special = set(SPECIAL_TOKENS.values())
    for source in (settings, _read_optional(directory / "special_tokens_map.json")):
        for field in (*SPECIAL_TOKENS, "additional_special_tokens", "extra_special_tokens"):
            values = source.get(field) or []
            values = values.values() if field.endswith("tokens") and isinstance(values, dict) else values
            for value in values if field.endswith("tokens") else [values]:
                special.add(value["content"] if isinstance(value, dict) else str(value))
    added = {
        int(i): (token, token in special)
        for token, i in _read_optional(directory / "added_tokens.json").items()
    }
    entries = [(entry["id"], entry) for entry in fast.get("added_tokens") or []]
    entries += [(int(i), entry) for i, entry in (settings.get("added_tokens_decoder") or {}).items()]
    for i, entry in entries:
        added[i] = (entry["content"], bool(entry.get("special")) or entry["content"] in special)
    return added


def _in_id_order(tokens, directory):
    size = max(tokens) + 1
    if size > 2 * len(tokens):  # a typing error would otherwise fill the memory
        raise ValueError(
            f"Token ids must be consecutive. Received: {len(tokens)} tokens with ids up to {size - 1} in "
            f"`{directory}`. Correct the ids of the added tokens."
        )
    # A repeated line of vocab.txt is one entry of tokenizer.json: its first id has no token. No text gives
    # this name.
    return [tokens.get(i, f"[no token {i}]") for i in range(size)]
