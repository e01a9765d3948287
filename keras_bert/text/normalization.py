"""BERT's cleaning of a text before it is cut, exactly as in the original code, as string operations."""

import tensorflow as tf
import tensorflow_text as tf_text

# No cleaned text and no piece that is searched for holds it: a word made of it becomes [UNK].
_UNKNOWN = "\x01"
_DELETED = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x{9f}\p{Cf}\x{FFFD}]"
_SPACE = r"[\t\n\r\p{Z}]"
CHINESE = (
    r"\x{4E00}-\x{9FFF}\x{3400}-\x{4DBF}\x{20000}-\x{2A6DF}\x{2A700}-\x{2B73F}\x{2B740}-\x{2B81F}\x{2B820}-\x{2CEAF}"
    r"\x{F900}-\x{FAFF}\x{2F800}-\x{2FA1F}"
)
# The original counts these ASCII symbols as punctuation too.
PUNCTUATION = r"\p{P}$+<=>^`|~"


def is_plain(texts, longest_word: int):
    """Tells which texts are ASCII without control characters and overlong words, where only case needs work.

    Args:
        texts: string tensor `(B,)`.
        longest_word: int. Characters of the longest word that is not [UNK].

    Returns:
        Bool tensor `(B,)`.
    """
    return tf.strings.regex_full_match(texts, rf"([!-~]{{0,{longest_word}}}[ \t\n\r]+)*[!-~]{{0,{longest_word}}}")


def clean(texts):
    """Drops what is no UTF-8 and what the original deletes, and makes every white space a space.

    Args:
        texts: string tensor `(B,)`.

    Returns:
        String tensor `(B,)`.
    """
    texts = tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8", errors="ignore")
    return tf.strings.regex_replace(tf.strings.regex_replace(texts, _DELETED, ""), _SPACE, " ")


def space_chinese(texts):
    """Puts a space around every Chinese character, so that it becomes a word.

    Args:
        texts: string tensor `(B,)`.

    Returns:
        String tensor `(B,)`.
    """
    return tf.strings.regex_replace(texts, f"([{CHINESE}])", r" \1 ")


def fold(texts, lowercase: bool, strip_accents: bool):
    """Lower-cases and takes accents off.

    Args:
        texts: string tensor `(B,)`.
        lowercase: bool.
        strip_accents: bool.

    Returns:
        String tensor `(B,)`.
    """
    if lowercase:
        texts = tf.strings.lower(texts, encoding="utf-8")
    if strip_accents:
        texts = tf.strings.regex_replace(tf_text.normalize_utf8(texts, "NFD"), r"\p{Mn}", "")
    return texts


def normalize(texts, lowercase: bool, strip_accents: bool, longest_word: int):
    """Does all that the original does to a text before it cuts words into pieces.

    Args:
        texts: string tensor `(B,)`.
        lowercase: bool.
        strip_accents: bool.
        longest_word: int. Longer words, in characters, become [UNK].

    Returns:
        String tensor `(B,)`.

    Reference:
        https://github.com/google-research/bert, `tokenization.py`: the behaviour, not the code.
    """
    plain = is_plain(texts, longest_word)
    rows = tf.where(~plain)
    folded = tf.strings.lower(texts) if lowercase else texts

    def normalized():
        others = space_chinese(clean(tf.gather_nd(texts, rows)))
        others = replace_overlong(fold(others, lowercase, strip_accents), longest_word)
        return tf.tensor_scatter_nd_update(folded, rows, others)

    # A batch of plain ASCII, as most of English is, skips some 20 operations: a fifth of a single text's time.
    return tf.cond(tf.reduce_all(plain), lambda: folded, normalized)


def replace_overlong(texts, longest_word: int):
    """Puts a word that is in no vocabulary, of as many bytes, in the place of every word with too many characters.

    Args:
        texts: string tensor `(B,)`, cleaned, with spaces around Chinese characters.
        longest_word: int. Characters of the longest word that stays.

    Returns:
        String tensor `(B,)`.
    """
    # Most texts have no such run of characters; the others are taken apart.
    short = tf.strings.regex_full_match(texts, rf"([^ ]{{0,{longest_word}}} +)*[^ ]{{0,{longest_word}}}")
    rows = tf.where(~short)
    gap = f"[ {PUNCTUATION}]"
    words = tf_text.regex_split(tf.gather_nd(texts, rows), gap, gap)
    unknown = tf.strings.regex_replace(words.flat_values, r"\C", _UNKNOWN)  # byte by byte: offsets stay
    kept = tf.where(tf.strings.length(words.flat_values, unit="UTF8_CHAR") > longest_word, unknown, words.flat_values)
    joined = tf.strings.reduce_join(words.with_flat_values(kept), axis=-1)
    return tf.tensor_scatter_nd_update(texts, rows, joined)
