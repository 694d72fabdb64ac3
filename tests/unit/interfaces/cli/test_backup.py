"""`backup` and `restore`: what a person at the command line sees of them."""

from pathlib import Path

from tests.fixtures.program import Program


def test_what_was_backed_up_is_found_after_it_was_restored(
    program: Program, notes: Path, tmp_path: Path
) -> None:
    assert program.run("index", str(notes)).code == 0
    file = tmp_path / "memory.dump"

    backup = program.run("backup", str(file))
    assert (backup.code, backup.stderr) == (0, "")
    assert backup.stdout.startswith("main: ")
    assert backup.stdout.endswith(f"read again and whole: {file}\n")

    restore = program.run("restore", str(file), "--database", "copy", "--json")
    told = restore.document
    assert isinstance(told, dict)
    assert told["database"] == "copy"
    assert told["rows"]["documents"] == 3
    assert "MEMORY.md" in program.run("search", "lighthouse keeper", "--database", "copy").stdout


def test_a_refusal_is_one_line_and_exit_code_1(
    program: Program, notes: Path, tmp_path: Path
) -> None:
    assert program.run("index", str(notes)).code == 0
    file = tmp_path / "memory.dump"
    assert program.run("backup", str(file), "--json").code == 0
    for arguments in (
        ["backup", str(file)],
        ["backup", str(tmp_path / "gone" / "x.dump")],
        ["restore", str(file)],
        ["restore", str(notes / "MEMORY.md"), "--database", "copy"],
    ):
        ended = program.run(*arguments)
        assert (ended.code, ended.stdout, len(ended.stderr.splitlines())) == (1, "", 1)
    assert program.run("restore", str(tmp_path / "nothing.dump")).code == 2
