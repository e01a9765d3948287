"""Cutting paragraphs into sentences, in languages with and without spaces between words."""

import re

# Where a sentence may end: its marks with the closing quotes and brackets behind them, and the space after those, which
# Chinese and Japanese do not need.
_ENDS = re.compile(r"""(?<![.!?…‽।؟۔])([.!?…‽।؟۔]++)([)\]}"'”’»›]*+)\s+|[。！？｡]+[”’」』）》"']*\s*""")
_LAST_WORD = re.compile(r"[^\s\"'“‘«‹(\[{—–]*\Z")
_NEXT_WORD = re.compile(r"[\"'“‘«‹(\[{—–-]*(\w*)")


def _words(text):
    return frozenset(text.split())


# Before a name or a number: their point ends no sentence.
_BEFORE_NAMES = _words(
    "adm amb brig capt cdr cmdr col cpl dr fr gen gov hon insp lt maj messrs mlle mm mme mmes mr mrs ms "
    "mssrs mx prof pres rep reps rev revd sen sens sgt st ste sts supt v ven vs viz cf eg ie e.g i.e approx"
)
_BEFORE_NUMBERS = _words(
    "art ch chap cl col eq fig figs jan feb mar apr jun jul aug sep sept oct nov dec l ll n no nos nr p "
    "par pp pt r sec sect tab vol vols"
)
# Of abbreviations that may also end a sentence: a next word that begins one.
_BEGINNINGS = _words(
    "a after all although an and as at because but by did do does during every few for from has have he "
    "her here his how however i if in indeed is it its last many meanwhile moreover my next no nobody now "
    "on once one or our perhaps several she since so some soon such that the their then there these they "
    "this those though thus to today under until was we were what when where while who why with yesterday "
    "yet you your"
)
_ABBREVIATIONS = _words(
    "a.d a.m ave b.a b.c b.s blvd bros co corp d.c etc inc jr ltd m.a m.d mt p.m p.s ph.d plc rd sr u.k "
    "u.n u.s u.s.a"
)


def split_sentences(paragraph: str) -> list[str]:
    """Cuts a paragraph into sentences.

    A rule a mark: full stops of abbreviations, initials, decimals and ellipses end no sentence unless what follows
    begins one; a sentence takes its closing quotes and brackets with it; the marks of Chinese and Japanese need no
    space behind them.

    Args:
        paragraph: str, without line breaks.

    Returns:
        List of str, none empty. Joined they are the paragraph, but for space between them.

    Example:
    >>> split_sentences('"Is Mr. Hyde in?" asked J. R. Smith. He paid $3.50. 他来了。我走了！')
    ['"Is Mr. Hyde in?" asked J. R. Smith.', 'He paid $3.50.', '他来了。', '我走了！']
    """
    sentences, begin = [], 0
    for end in _ENDS.finditer(paragraph):
        if end.end() == len(paragraph) or not _ends_sentence(paragraph, begin, end):
            continue
        sentences.append(paragraph[begin : end.end()].strip())
        begin = end.end()
    sentences.append(paragraph[begin:].strip())
    return [sentence for sentence in sentences if sentence]


def _ends_sentence(paragraph, begin, end):
    marks, closing = end.groups()
    if marks is None:  # Chinese or Japanese
        return True
    following = _NEXT_WORD.match(paragraph, end.end())[1]
    if following[:1].islower():
        return False
    if marks != "." or closing:
        return True
    before = _LAST_WORD.search(paragraph, max(begin, end.start() - 20), end.start())[0]
    return not _is_abbreviation(before, following)


def _is_abbreviation(word, following):
    """Tells whether the point behind a word is the word's, before a next word that begins like a sentence."""
    lowered = word.lower()
    if lowered in _BEFORE_NAMES:
        return True
    if len(word) == 1 and word.isupper() and word != "I":  # an initial
        return True
    if lowered in _BEFORE_NUMBERS:
        return following[:1].isdigit() or (following != "I" and set(following) <= set("IVXLC"))
    if lowered in _ABBREVIATIONS or re.fullmatch(r"(?:[^\W\d]\.)+[^\W\d]", word):
        return following.lower() not in _BEGINNINGS
    return False
