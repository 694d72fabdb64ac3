"""Searches through the service: what is found, what is not, in which order and how much of it."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from mcp_memory.app import App
from mcp_memory.errors import InvalidInput
from mcp_memory.memory.documents.models import WriteDocument
from mcp_memory.paging import to_cursor
from mcp_memory.search.kinds import SearchAnswer, SearchRequest, SearchResult, weights_for
from mcp_memory.text.tokens import estimate_tokens
from tests.fixtures.postgres import Stock
from tests.fixtures.queries import until_embedded

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


async def write(app: App, path: str, content: str, agent: str = "alice") -> None:
    await app.documents.write(app.session(agent), WriteDocument(path, content, mode="replace"))


async def search(app: App, query: str, agent: str = "alice", /, **wanted: object) -> SearchAnswer:
    request = SearchRequest(query, **wanted)  # pyright: ignore[reportArgumentType]  # its fields are given by name
    return await app.search.passages(app.session(agent), request)


def paths(answer: SearchAnswer) -> list[str]:
    return [result.path for result in answer.results]


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("The kestrel hovers.", "what about the kestrel?"),
        ("The kestrel hovers.", 'the - "kestrel": (hovers)!'),
        ("The kestrel hovers.", "KESTREL's"),
        ("Release kestrel-9 is out.", "kestrel-9"),
        ("Ticket ABC-1234 is open.", "ABC-1234"),
        ("Ticket ABC-1234 is open.", "abc-1234?"),
        ("Call parse_markdown_table first.", "parse_markdown_table"),
        ("Call parse_markdown_table first.", "markdown"),
        ("See src/store/engine.py for it.", "engine.py"),
        ("Set --max-old-space-size=4096 there.", "max-old-space-size"),
        ("Wer hat die Schlüssel?", "Schlüssel"),
        ("Пустельга зависает над полем.", "пустельга"),
        ("Пустельга зависает над полем.", "ПУСТЕЛЬГА?"),
        ("红隼在田野上空盘旋。", "红隼"),
        ("红隼在田野上空盘旋。", "田野上空"),
        ("チョウゲンボウが飛ぶ。", "チョウゲンボウ"),
        ("العاسق يحوم فوق الحقل", "العاسق"),
        ("황조롱이가 난다.", "황조롱이"),
        ("It ships 🐘 today.", "🐘"),
        ("The C++ part is slow.", "C++"),
        ("Version v2.14.7 broke it.", "v2.14.7"),
        ("It's O'Brien's dog.", "O'Brien"),
        ("the ' and \\ and : & | ! <-> of it, marmalade", "marmalade ' \\ : & | ! <->"),
    ],
)
async def test_the_exact_word_is_found_whatever_its_script_and_punctuation(
    app: App, text: str, query: str
) -> None:
    await write(app, "it.md", text)
    await write(app, "other.md", "Nothing of that kind is written here at all.")

    answer = await search(app, query)

    assert paths(answer)[:1] == ["it.md"]
    assert "lexical" in answer.results[0].routes


@pytest.mark.parametrize("query", ["?", "...", "' \" ( ) : -", "%", "\\", "the", "🐘"])
async def test_a_query_of_nothing_but_signs_is_answered(app: App, query: str) -> None:
    await write(app, "a.md", "The kestrel hovers.")

    answer = await search(app, query, min_score=0.0)

    assert answer.degraded == []


@pytest.mark.parametrize("query", ["zugzwang", "Zugzwang?", "who was in zugzwang?"])
async def test_a_rare_word_is_in_the_top_3_without_any_help_of_vectors(
    app: App, query: str
) -> None:
    for number in range(60):
        await write(app, f"{number:02}.md", f"The weekly report of the project, part {number}.")
    await write(app, "rare.md", "Zugzwang. " + "Entirely different things are said here. " * 12)

    answer = await search(app, query)

    assert "rare.md" in paths(answer)[:3]


async def test_more_matching_words_score_higher(app: App) -> None:
    words = ["kestrel", "meadow", "twilight", "hunting", "voles"]
    for count in range(1, 6):
        filler = ["stone"] * (5 - count)
        await write(app, f"{count}.md", " ".join([*words[:count], *filler]))

    answer = await search(app, " ".join(words), min_score=0.0, max_results=10, explain=True)

    assert paths(answer) == ["5.md", "4.md", "3.md", "2.md", "1.md"]
    lexical = [result.scores["lexical"] for result in answer.results]
    assert lexical == sorted(set(lexical), reverse=True)
    scores = [result.score for result in answer.results]
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("query", ["project preferences", "prefer the profile", "spread the word"])
async def test_words_that_look_like_anchors_do_not_switch_meaning_off(app: App, query: str) -> None:
    await write(app, "it.md", f"Notes: {query}.")

    answer = await search(app, query)

    assert answer.tier == "T2_hybrid"
    assert [result.routes for result in answer.results] == [["lexical", "semantic"]]


@pytest.mark.parametrize(
    "query", ["quantum chromodynamics lectures", "Wie wird das Wetter?", "xqzwv", "печенье"]
)
async def test_an_unrelated_question_gets_an_empty_answer(app: App, query: str) -> None:
    for number, text in enumerate(
        ["The kestrel hovers.", "Ben likes strong coffee.", "# Deploy\n\nRun the pipeline twice."]
    ):
        await write(app, f"{number}.md", text)

    answer = await search(app, query)

    assert (answer.results, answer.tokens, answer.next_cursor) == ([], 0, "")


async def test_a_fact_at_the_end_of_100_kib_is_found_and_cited_by_its_line(app: App) -> None:
    filler = "The committee met again and decided nothing of any importance that week.\n\n"
    long = "# Minutes\n\n" + filler * 1_400 + "The safe opens with the number 4711-kestrel.\n"
    assert len(long) > 100 * 1024
    await write(app, "minutes.md", long)

    answer = await search(app, "number of the safe")

    best = answer.results[0]
    assert "4711-kestrel" in best.text
    assert best.end_line == len(long.splitlines())


async def test_of_200_rules_none_demotes_another(app: App) -> None:
    for number in range(200):
        rule = f"Remember rule {number}: always call the {name_of(number)} before lunch."
        await write(app, f"rules/{number:03}.md", rule)

    for number in (0, 7, 99, 143, 199):
        answer = await search(app, f"when to call the {name_of(number)}?")
        assert paths(answer)[0] == f"rules/{number:03}.md"
    assert await app.documents.count(app.session("alice")) == {"documents": 200, "chunks": 200}


def name_of(number: int) -> str:
    """A word of its own for each number, such as `bababa`."""
    syllables = ["ba", "ke", "li", "mo", "nu", "pra", "sto", "tri"]
    places = (number // 64 % 8, number // 8 % 8, number % 8)
    return "".join(syllables[place] for place in places) + "x"


async def test_two_meals_of_one_day_are_two_facts(app: App) -> None:
    await write(app, "a.md", "On Monday I had porridge for breakfast.")
    await write(app, "b.md", "On Monday I had porridge for dinner.")

    assert sorted(paths(await search(app, "porridge on Monday"))) == ["a.md", "b.md"]


async def test_the_newer_of_two_equal_matches_comes_first_however_often_asked(app: App) -> None:
    for name in ("one", "two", "three"):
        await write(app, f"{name}.md", "The kestrel hovers.")

    answers = [paths(await search(app, "kestrel")) for _ in range(3)]

    assert answers == [["three.md", "two.md", "one.md"]] * 3


async def _fill_library(app: App) -> None:
    for number in range(12):
        await app.documents.write(
            app.session("alice"),
            WriteDocument(
                f"{'birds' if number % 2 else 'notes'}/{number:02}.md",
                f"A kestrel was seen, sighting {number}.",
                tags=[f"t{number % 3}", "bird"],
                occurred_at=NOON + timedelta(days=number),
            ),
        )
    await app.documents.write(
        app.session("bob"), WriteDocument("birds/bob.md", "Bob's private kestrel.")
    )
    shared = WriteDocument("birds/shared.md", "Bob's shared kestrel.", shared=True)
    await app.documents.write(app.session("bob"), replace(shared, tags=["bobs"], occurred_at=NOON))


@pytest.fixture
async def library(app: App, stock: Stock) -> App:
    """Notes of two agents that all speak of kestrels, and differ in what one can narrow by."""
    await stock(_fill_library)
    return app


ALICES = {f"{'birds' if n % 2 else 'notes'}/{n:02}.md" for n in range(12)}
FILTERS: list[tuple[dict[str, object], Iterable[str]]] = [
    ({}, ALICES | {"birds/shared.md"}),
    ({"sources": ("documents",)}, ALICES | {"birds/shared.md"}),
    ({"sources": ("graph",)}, set[str]()),
    ({"sources": ()}, set[str]()),
    (
        {"path_prefix": "birds/"},
        {path for path in ALICES if path.startswith("birds/")} | {"birds/shared.md"},
    ),
    ({"path_prefix": "bird_/"}, set[str]()),
    ({"path_prefix": "%"}, set[str]()),
    ({"tags": ("t1",)}, {"birds/01.md", "notes/04.md", "birds/07.md", "notes/10.md"}),
    ({"tags": ("t1", "bird")}, {"birds/01.md", "notes/04.md", "birds/07.md", "notes/10.md"}),
    ({"tags": ("t1", "t2")}, set[str]()),
    ({"tags": ()}, ALICES | {"birds/shared.md"}),
    ({"tags": ("bobs",)}, {"birds/shared.md"}),
    ({"since": NOON + timedelta(days=10)}, {"notes/10.md", "birds/11.md"}),
    ({"until": NOON + timedelta(days=1)}, {"notes/00.md", "birds/shared.md"}),
    (
        {"since": NOON + timedelta(days=3), "until": NOON + timedelta(days=5)},
        {"birds/03.md", "notes/04.md"},
    ),
    (
        {"path_prefix": "birds/", "tags": ("t1",), "since": NOON + timedelta(days=2)},
        {"birds/07.md"},
    ),
]


@pytest.mark.parametrize("query", ["kestrel sighting", "kestrelish"], ids=["words", "meaning"])
@pytest.mark.parametrize(("filters", "expected"), FILTERS)
async def test_a_filter_lets_through_what_matches_and_nothing_else(
    library: App, query: str, filters: dict[str, object], expected: Iterable[str]
) -> None:
    answer = await search(library, query, max_results=100, min_score=0.0, **filters)

    assert sorted(paths(answer)) == sorted(expected)
    routes = {route for result in answer.results for route in result.routes}
    assert routes <= ({"semantic"} if query == "kestrelish" else {"lexical", "semantic"})


async def test_a_filtered_page_is_full_when_enough_matches(library: App) -> None:
    for number in range(60):
        await write(library, f"crowd/{number}.md", "kestrel sighting " * 5)

    wanted: dict[str, object] = {"max_results": 4, "min_score": 0.0, "tags": ("t1",)}
    answer = await search(library, "kestrel sighting", **wanted)

    assert len(answer.results) == 4


async def test_anothers_private_rows_are_in_no_answer(library: App) -> None:
    of_alice = await search(library, "private kestrel", max_results=100, min_score=0.0)
    of_carol = await search(library, "kestrel", "carol", max_results=100, min_score=0.0)
    of_bob = await search(library, "private kestrel", "bob", max_results=100)

    assert "birds/bob.md" not in paths(of_alice)
    assert [(r.path, r.owner) for r in of_carol.results] == [("birds/shared.md", "bob")]
    assert paths(of_bob)[0] == "birds/bob.md"


async def read_all(app: App, request: SearchRequest) -> list[SearchResult]:
    results: list[SearchResult] = []
    cursor = ""
    while not results or cursor:
        answer = await app.search.passages(app.session("alice"), replace(request, cursor=cursor))
        assert len(answer.results) == request.max_results or not answer.next_cursor
        results += answer.results
        cursor = answer.next_cursor
    return results


async def test_pages_give_everything_once_in_the_order_of_one_long_page(library: App) -> None:
    request = SearchRequest("kestrel sighting", min_score=0.0, max_results=5)

    paged = await read_all(library, request)
    at_once = await read_all(library, replace(request, max_results=100))

    assert [result.id for result in paged] == [result.id for result in at_once]
    assert len(paged) == 13


async def test_pages_go_beyond_the_candidates_of_the_first_one(app: App) -> None:
    """The words find some in one order, the vectors in another: 260 chunks, more than one search
    looks at for its first page."""
    sightings = [
        " ".join(["sighting"] * (n % 7) + ["meadow"] * (n % 5) + ["vole"] * (n % 3) + [f"{n}"])
        for n in range(260)
    ]
    log = "\n".join(f"# Entry {n}\n\nkestrel {text}\n" for n, text in enumerate(sightings))
    await write(app, "log.md", log)
    await until_embedded(app)
    # What the words weigh must not change between two pages.
    await app.word_counts.merge(await app.databases.reading(None, "alice"))
    request = SearchRequest("kestrel sighting meadow", min_score=0.0, max_results=40)

    paged = [result.id for result in await read_all(app, request)]

    assert len(paged) == len(set(paged)) == 260


@pytest.mark.parametrize(
    "cursor",
    [
        "nonsense",
        to_cursor("documents", "a", "b"),
        to_cursor("search", -1),
        to_cursor("search", 10**9),
        to_cursor("search", "5"),
        to_cursor("search", 1.5),
    ],
)
async def test_a_cursor_of_something_else_is_refused(app: App, cursor: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        await search(app, "kestrel", cursor=cursor)

    assert caught.value.parameter == "cursor"


@pytest.mark.parametrize(
    ("query", "wanted", "parameter"),
    [
        ("", {}, "query"),
        (" \n", {}, "query"),
        ("nul\0", {}, "query"),
        ("half \ud800", {}, "query"),
        ("x" * 4097, {}, "query"),
        ("x", {"path_prefix": "nul\0"}, "path_prefix"),
        ("x", {"path_prefix": "half \udcff"}, "path_prefix"),
        ("x", {"tags": ("ok", "half \ud800")}, "tags"),
        ("x", {"since": NOON, "until": NOON}, "since"),
    ],
)
async def test_what_cannot_be_searched_for_is_refused(
    app: App, query: str, wanted: dict[str, object], parameter: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        await search(app, query, **wanted)

    assert caught.value.parameter == parameter


async def test_a_very_long_query_is_answered(app: App) -> None:
    await write(app, "it.md", "The kestrel hovers.")
    query = " ".join(f"word{number}" for number in range(500))[:4000] + " kestrel"

    assert paths(await search(app, query, min_score=0.0))[0] == "it.md"


LONG = "# Birds\n\n" + "\n".join(
    f"Line {number} tells of {'the kestrel over the meadow' if number == 17 else 'other birds'}."
    for number in range(3, 31)
)


async def test_a_citation_names_the_lines_that_hold_the_text(app: App) -> None:
    text = "---\ntitle: Birds\n---\n\n" + LONG + "\n\n## More\n\nAn owl.\r\n\n```\ncode owl\n```\n"
    await write(app, "birds.md", text)
    lines = text.split("\n")

    answer = await search(app, "kestrel owl", min_score=0.0, max_results=100)

    assert len(answer.results) >= 2
    for result in answer.results:
        cited = "\n".join(lines[result.start_line - 1 : result.end_line]).replace("\r", "")
        assert result.text == cited.rstrip("\n")
        assert result.citation == f"birds.md#L{result.start_line}-L{result.end_line}"


async def test_a_cut_result_cites_the_lines_that_are_left(app: App) -> None:
    await write(app, "birds.md", LONG)
    lines = LONG.split("\n")

    answer = await search(app, "kestrel over the meadow", max_tokens=30)

    (result,) = answer.results
    assert "Line 17 tells of the kestrel" in result.text
    assert result.text == "\n".join(lines[result.start_line - 1 : result.end_line])
    assert result.end_line - result.start_line < 5
    assert result.citation == f"birds.md#L{result.start_line}-L{result.end_line}"


@pytest.mark.parametrize("budget", [1, 20, 50, 100, 1000])
async def test_an_answer_stays_within_its_budget(app: App, budget: int) -> None:
    for number in range(6):
        await write(app, f"{number}.md", f"The kestrel was seen. {'It hovered a while. ' * 5}")

    answer = await search(app, "kestrel", max_tokens=budget, max_results=6)

    texts = [result.text for result in answer.results]
    assert texts
    assert sum(map(estimate_tokens, texts)) <= max(budget, 1)
    assert (len(texts) == 6) == (budget == 1000)


async def test_what_had_no_room_is_on_the_next_page(app: App) -> None:
    for number in range(4):
        await write(app, f"{number}.md", f"The kestrel was seen, sighting {number}.")
    request = SearchRequest("kestrel", max_tokens=12, max_results=4)

    seen: list[str] = []
    cursor = ""
    while not seen or cursor:
        answer = await app.search.passages(app.session("alice"), replace(request, cursor=cursor))
        seen += paths(answer)
        cursor = answer.next_cursor

    assert sorted(seen) == ["0.md", "1.md", "2.md", "3.md"]


async def test_signals_are_shown_only_when_asked_for(app: App) -> None:
    await write(app, "a.md", "The kestrel hovers.")

    (plain,) = (await search(app, "kestrel")).results
    (explained,) = (await search(app, "kestrel", explain=True)).results

    assert plain.scores == {}
    assert replace(explained, scores={}, shares={}, used={}) == plain
    assert {"lexical", "cosine", "coverage"} <= explained.scores.keys()


async def test_an_explained_result_ranks_by_the_sum_of_its_shares(app: App) -> None:
    for number in range(4):
        await write(app, f"{number}.md", "kestrel " * (number + 1) + "meadow")

    answer = await search(app, "kestrel over the field", min_score=0.0, explain=True)

    sums = [sum(result.shares.values()) for result in answer.results]
    assert len(sums) == 4
    assert sums == sorted(sums, reverse=True)
    weights = weights_for("hashing").features
    for result in answer.results:
        assert result.shares.keys() == result.scores.keys() == weights.keys()


async def test_an_explained_search_says_how_the_query_was_read(app: App) -> None:
    await write(app, "a.md", "The kestrel of PR 42.")
    plain = await search(app, "nothing of the kind")

    answer = await search(app, "When did you merge PR 42 in March 2026?", explain=True)

    assert plain.query is None
    assert answer.query is not None
    assert answer.query.anchors == ["pr:42"]
    assert answer.query.asks[0] == "when"
    assert {"merg", "pr", "42"} <= answer.query.words.keys()
    assert answer.query.period == {"months": "March", "years": "2026", "looks for": "2026-03"}
    assert answer.query.vectors == "hashing"


async def test_a_result_says_where_it_is_from(app: App) -> None:
    await app.documents.write(
        app.session("alice"),
        WriteDocument("birds.md", "# Birds\n\n## Kestrels\n\nThey hover.", occurred_at=NOON),
    )

    answer = await search(app, "kestrels")

    (result,) = answer.results
    assert (result.source, result.path, result.owner) == ("documents", "birds.md", "alice")
    assert (result.title, result.occurred_at) == ("Birds > Kestrels", NOON)
    assert result.id.isdigit()
    assert 0.2 <= result.score <= 1.0
    assert answer.tokens > 0
