"""Which languages a text may be in, as far as its letters and commonest words tell."""

import re

# Words that hardly a sentence of the language does without, and few sentences of another have.
_COMMON = {
    "en": "the and of to is was we you did what when in on i my a for it",
    "de": "der die das und ist nicht ich wir ein eine mit war am im",
    "fr": "le la les et est une des nous je du dans pas que",
    "es": "el la los las y es una que de en no con por",
    "it": "il la gli e è una che di non per con sono",
    "pt": "o a os as e é uma que de não com para em",
    "nl": "de het een en is niet ik wij we van op met",
    "pl": "i w na nie to jest się z do co jak",
    "sv": "och det är en ett inte jag vi på som med",
    "tr": "ve bir bu ne için ile mi da de çok",
}
_OF_COMMON = {language: frozenset(words.split()) for language, words in _COMMON.items()}
_SCRIPTS = (
    (re.compile(r"[\u0400-\u04ff]"), ("ru", "uk")),
    (re.compile(r"[\u3040-\u30ff]"), ("ja",)),
    (re.compile(r"[\u4e00-\u9fff]"), ("zh", "ja")),
    (re.compile(r"[\uac00-\ud7af]"), ("ko",)),
)
# So few words may hold none of the commonest: then any language is possible.
_SHORT_TEXT_WORDS = 12


def likely_languages(text: str, words: set[str]) -> list[str]:
    """The languages worth a look, the commonest first; `words` are those of the text, folded."""
    found = [language for language, common in _OF_COMMON.items() if words & common]
    if len(words) <= _SHORT_TEXT_WORDS:
        found = list(_OF_COMMON)
    if not text.isascii():
        found += [each for script, its in _SCRIPTS if script.search(text) for each in its]
    return list(dict.fromkeys(found))
