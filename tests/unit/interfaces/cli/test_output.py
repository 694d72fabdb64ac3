"""Plain output: stable lines, readable sizes, harmless text."""

from datetime import UTC, datetime

import pytest

from mcp_memory.interfaces.cli.output import print_json, print_table, printable, readable_size


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        (0, "0 bytes"),
        (1023, "1023 bytes"),
        (1024, "1.0 KiB"),
        (8_800_000, "8.4 MiB"),
        (5 * 1024**5, "5120.0 TiB"),
    ],
)
def test_a_size_is_readable(size: int, shown: str) -> None:
    assert readable_size(size) == shown


def test_a_piped_cell_cannot_break_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("A", "B"), [("one\ttwo\nthree", "[bold]x[/bold]")])
    assert capsys.readouterr().out == "A\tB\none two three\t[bold]x[/bold]\n"


def test_control_characters_are_left_out_and_line_ends_stay() -> None:
    assert printable("a\x1b[2Jb\x07\r\nc\td\x9b\x7f") == "a[2Jb\nc\td"


def test_instants_are_iso_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"at": datetime(2026, 3, 1, tzinfo=UTC), "name": "Müller"})
    expected = '{\n  "at": "2026-03-01T00:00:00+00:00",\n  "name": "Müller"\n}\n'
    assert capsys.readouterr().out == expected
