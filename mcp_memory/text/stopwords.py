"""Words too common to search by, folded; none of them means something else in English."""

# ruff: noqa: RUF001 - words in other scripts are the point

_ENGLISH = """
a about above after again all am an and any are as at be because been before being below between
both but by can could did do does doing down during each few for from further had has have having
he her here hers herself him himself his how i if in into is it its itself just me more most my
myself of off on once only or other our ours ourselves out over own same she should so some such
than that the their theirs them themselves then there these they this those through to too under
until up upon us very was we were what when where which while who whom whose why will with would
you your yours yourself yourselves
"""
_FRENCH = (
    "au aux avec ce cette des du elle est et ils je la le les leur nous où quand que qui un une"
)
_GERMAN = (
    "auf das dem den der des ein eine einen einer es für ich ihr ist sie und von wann wie wir zu"
)
_SPANISH = "como cómo cuándo de del dónde el en la las los para por que qué quién un una unas y"
_ITALIAN = "che chi da della di dove gli il nel quando un una è"
_PORTUGUESE = "as da das do dos em na nas no nos o os quando que quem um uma é"
_RUSSIAN = """
а бы был была были было в вам вас вы где да для его ее ей если есть же за и из или их к как какая
какие какой когда который кто ли меня мне мы на нас о об он она они от по при с со так то тоже ты у
что чтобы это этот я
"""
_ARABIC = "أن أو أين إلى التي الذي على عن في كان كيف ما ماذا متى من هذا هذه هل هو هي و يا"
_CHINESE_AND_JAPANESE = (
    "什么 什麼 怎么 怎麼 我们 你们 他们 这个 那个 的 了 是 です ます した して すか"
)

STOP_WORDS = frozenset(
    " ".join(
        (
            _ENGLISH,
            _FRENCH,
            _GERMAN,
            _SPANISH,
            _ITALIAN,
            _PORTUGUESE,
            _RUSSIAN,
            _ARABIC,
            _CHINESE_AND_JAPANESE,
        )
    ).split()
) - {"no"}
