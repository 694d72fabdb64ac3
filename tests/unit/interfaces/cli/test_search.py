"""`search`: what agents find, printed for people and for programs."""

import json
from typing import cast

import pytest

from mcp_memory.search.features import NAMES
from tests.fixtures.program import Program


@pytest.fixture
def remembered(program: Program, notes: object) -> Program:
    """The program over a memory that holds the notes."""
    assert program.run("index", str(notes)).code == 0
    return program


def test_a_result_shows_its_place_its_score_and_its_text(remembered: Program) -> None:
    lines = remembered.run("search", "zebras near the fjord").stdout.splitlines()
    assert lines[0].startswith("1. trips/norway.txt#L1-L1  ")
    assert lines[1:] == ["   We saw zebras nowhere near the fjord."]


def test_json_has_the_shape_of_the_tools_answer(remembered: Program) -> None:
    answer = cast("dict[str, object]", remembered.run("search", "zebras", "--json").document)
    assert set(answer) == {"results", "tokens", "tier"}
    (result,) = cast("list[dict[str, object]]", answer["results"])
    assert result["citation"] == "trips/norway.txt#L1-L1"
    assert result["owner"] == "default"
    assert "scores" not in result


def test_explain_tells_the_words_the_routes_and_each_feature(remembered: Program) -> None:
    lines = remembered.run("search", "zebras", "--explain").stdout.splitlines()

    assert lines[0].startswith("words:    zebra (")
    heading = lines.index("feature\tvalue\tshare")
    rows = [line.split("\t") for line in lines[heading + 1 :] if "\t" in line]
    found_by, _, ranked_by = lines[heading - 1].partition(", ranked by ")
    assert found_by.startswith("   found by lexical")
    assert float(ranked_by) == pytest.approx(sum(float(share) for _, _, share in rows), abs=0.02)
    name, value, share = rows[0]
    assert (name in NAMES, float(value) > 0, share[0]) == (True, True, "+")


def test_a_search_after_indexing_knows_rare_words_and_mends_slips(remembered: Program) -> None:
    """The counts are there though each command ended at once."""
    lines = remembered.run("search", "zebars of Norway", "--explain").stdout.splitlines()
    assert lines[0].startswith("words:    zebra (")


def test_explain_in_json_holds_the_query_and_the_shares(remembered: Program) -> None:
    answer = json.loads(remembered.run("search", "zebras", "--explain", "--json").stdout)

    assert list(answer["query"]["words"]) == ["zebra"]
    assert answer["results"][0]["shares"].keys() == answer["results"][0]["scores"].keys()


def test_nothing_found_is_no_error_and_no_output(remembered: Program) -> None:
    ended = remembered.run("search", "quantum chromodynamics")
    assert (ended.code, ended.stdout) == (0, "")
    assert ended.stderr == "Nothing in the memory answers that.\n"


def test_filters_narrow_what_is_found(remembered: Program) -> None:
    for options in (["--path-prefix", "trips/"], ["--since", "1h"], ["--until", "now"]):
        assert "norway" in remembered.run("search", "zebras", *options).stdout
    for options in (["--path-prefix", "x"], ["--until", "2001-01-01"], ["--tag", "none"]):
        assert remembered.run("search", "zebras", *options).stdout == ""


@pytest.mark.parametrize(
    "options",
    [
        ["--since", "someday"],
        ["--max-results", "0"],
        ["--max-results", "101"],
    ],
)
def test_a_value_that_cannot_be_is_a_usage_error_that_names_its_option(
    bare: Program, options: list[str]
) -> None:
    ended = bare.run("search", "zebras", *options)
    assert (ended.code, ended.stdout) == (2, "")
    assert options[0] in ended.stderr


def test_an_unknown_database_is_named_and_not_created(remembered: Program) -> None:
    ended = remembered.run("search", "zebras", "--database", "mian")
    assert (ended.code, ended.stdout) == (1, "")
    assert "'main'" in ended.stderr
    listed = cast("list[dict[str, object]]", remembered.run("databases", "list", "--json").document)
    assert [each["name"] for each in listed] == ["main"]


def test_remembered_text_cannot_command_the_terminal(
    program: Program, notes: object, tmp_path: object
) -> None:
    program.run("index", str(notes))
    hostile = f"{notes}/hostile.md"
    with open(hostile, "w", encoding="utf-8") as file:
        file.write("walrus \x1b]0;owned\x07 \x1b[2J \x9b31m end\n")
    program.run("index", hostile)
    shown = program.run("search", "walrus").stdout
    assert "walrus" in shown
    assert {letter for letter in shown if ord(letter) < 32 or 127 <= ord(letter) < 160} == {"\n"}
