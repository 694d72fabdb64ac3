"""What two recordings of one build must not differ in, and what they must."""

from datetime import date

import pytest

from lab.golden import compare
from lab.golden_normal import Normal

NORMAL = Normal(date(2026, 11, 30), {"/tmp/golden-x": "<folder>"})


@pytest.mark.parametrize(
    ("value", "normal"),
    [
        ("at 2026-11-30T21:53:57.629287+00:00", "at <dayThh:mm:ss.f+zz>"),
        ("happened on 2024-03-05", "happened on 2024-03-05"),
        ("host=%2Ftmp%2Fgolden-x%2Frun", "host=<folder>%2Frun"),
        ("127.0.0.1:43211", "127.0.0.1:<port>"),
        ("client.json.20261130T224851993214.bak", "client.json.<time>.bak"),
        ({"version": "0.1.0", "score": 0.93}, {"version": "<version>", "score": 0.93}),
        ({"version": 3, "next_cursor": "abc"}, {"version": 3, "next_cursor": "<cursor>"}),
        ([{"from": "2024-06-11", "to": "2026-11-30", "hours": 7.2}],
         [{"from": "2024-06-11", "to": "<day>", "hours": "<hours>"}]),
    ],
)  # fmt: skip
def test_what_varies_is_left_out_and_the_rest_stays(value: object, normal: object) -> None:
    assert NORMAL.of(value) == normal


def test_an_answer_that_changed_is_named_by_its_path() -> None:
    old = {"a": {"results": [{"score": 0.93, "path": "x.md"}]}, "b": 1, "c": True}
    new = {"a": {"results": [{"score": 0.9304, "path": "y.md"}]}, "c": 1, "d": 1}
    assert [line.split("\n")[0] for line in compare(old, new)] == [
        "a.results[0].path",
        "b: is not asked any more",
        "c",
        "d: was not asked before",
    ]


def test_equal_recordings_do_not_differ() -> None:
    answers: dict[str, object] = {"a": {"results": [{"score": 0.93}, None]}, "b": []}
    assert list(compare(answers, answers)) == []
