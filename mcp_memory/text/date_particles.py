"""Small words beside the names of days and months, in the languages of `date_words`."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# What may stand between a day, its month and its year, or after a day's number.
ORDINALS = _words("st nd rd th er º de of di del the")
# What makes a bare month or year a time: `may` is a verb too.
IN = _words("in im since until by during of seit bis en depuis desde em nel w в до")
# Beside a weekday or a month: the one before.
LAST = _words(
    "last past previous letzte letzten letzter letztes letztem vorige vorigen dernier "
    "derniere passe passee pasado pasada ultimo ultima scorso scorsa passado passada "
    "afgelopen vorig zeszly zeszla zesztym ostatni ostatnia forra gecen прошлый прошлая "
    "прошлое прошлую прошлом минулий минула минулу минулого"
)
# Beside a weekday or a month: the one after.
NEXT = _words(
    "next coming nachste nachsten nachster nachstes kommende kommenden prochain prochaine "
    "proximo proxima prossimo prossima volgende przyszly nastepny nasta gelecek следующий "
    "следующая следующую следующее следующем наступний наступна наступну"
)
# Between two times: all of what lies between them.
TO = _words("to until till through bis a à au al hasta ate até tot do до по")
# The same, after `between`.
AND = _words("and und et y e i и")
BETWEEN = _words("between zwischen entre tra miedzy между")
# What may stand before a time and says nothing.
SMALL = _words("the le el dem la")
