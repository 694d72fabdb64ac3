#!/usr/bin/env bash
# pytest-xdist's --dist=loadgroup ignores xdist_group with pytest 9.2, without a word.
#
# Packages: pytest-xdist 3.8.0 (its newest) with pytest 9.2.0, beside pytest 9.1.1.
# Input:    twelve tests of one group, three workers.
#
# Expected: one worker runs all twelve, as `pytest --help` says of loadgroup (it "sends tests marked
#           with 'xdist_group' to the same worker"), and as with pytest 9.1.1. xdist 3.8.0 asks for
#           pytest>=7.0.0 and names no upper bound.
# Happens:  the tests are dealt out as if they had no mark. xdist hands the group on by writing to
#           item._nodeid, from which pytest 9.2 no longer makes item.nodeid. No error, no warning:
#           tests that share a port or a file by being of one group meet each other now.
#           The project has a report of it since September 2026, pytest-xdist issue 1386.
#
# Output seen:
#   pytest 9.1.1: 12 tests of one group, workers: one
#   pytest 9.2.0: 12 tests of one group, workers: several
#
# Exit: 0 while this is so, 1 when it has changed, 2 when it could not be tried.
set -u

SAID=$(sed -n '/^# Output seen:/,/^#$/s/^#   //p' "$0")
FOLDER=$(mktemp -d) || exit 2
trap 'rm -rf "$FOLDER"' EXIT
give_up() { echo "could not be tried: $1" >&2; exit 2; }

cd "$FOLDER" || give_up "no folder"
cat >test_group.py <<'PYTHON'
import os

import pytest


@pytest.mark.xdist_group("one")
@pytest.mark.parametrize("number", range(12))
def test_of_the_group(number):
    with open(os.environ["SEEN_BY"], "a") as seen:
        seen.write(os.environ["PYTEST_XDIST_WORKER"] + "\n")
PYTHON

try() { # VERSION of pytest
    python3 -m venv "$1" || give_up "no venv"
    "$1/bin/pip" install -q "pytest==$1" "pytest-xdist==3.8.0" >pip.log 2>&1 ||
        give_up "pytest $1 with pytest-xdist 3.8.0 is not to be had"
    SEEN_BY=$FOLDER/seen-$1 "$1/bin/pytest" -q -n 3 --dist=loadgroup test_group.py >"$1.log" 2>&1 ||
        give_up "pytest failed: $(tail -n 1 "$1.log")"
    local workers=several
    [ "$(sort -u "seen-$1" | wc -l)" = 1 ] && workers=one
    echo "pytest $1: $(wc -l <"seen-$1") tests of one group, workers: $workers"
}

unset PYTEST_ADDOPTS
try 9.1.1 >output
try 9.2.0 >>output
cat output
if [ "$(cat output)" != "$SAID" ]; then
    echo "this is not what was seen before" >&2
    exit 1
fi
