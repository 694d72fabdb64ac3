#!/usr/bin/env bash
# PostgreSQL refuses to add a column with a default while a function reads the table's row.
#
# Package:  postgresql-15 15.20-0+deb12u1, beside 15.18-0+deb12u1 (Debian 12, amd64).
#           Seen also in postgresql-17 17.12-0+deb13u1 (Debian 13); not in 16.14 and 18.6.
# Input:    a table, a function with a body of the SQL standard (RETURN ...) that takes a row of
#           the table and reads a column of it, and ALTER TABLE ... ADD COLUMN ... DEFAULT 0.
#
# Expected: the column is added. A function stores no rows, so nothing has to be rewritten; the
#           manual's page of ALTER TABLE knows no such restriction; 15.18 adds the column; and
#           15.20 itself adds it without the default, or when the same body is quoted.
# Happens:  ERROR, for every default. A schema that could be migrated until 15.18 cannot be since.
#           It came with a security release (15.19 was not tried) and may be meant: then the manual
#           lacks it. A way round: quote the bodies of functions that take a row.
#
# Output seen:
#   15.18 standard body, default: ALTER TABLE
#   15.18 standard body, no default: ALTER TABLE
#   15.18 quoted body, default: ALTER TABLE
#   15.20 standard body, default: ERROR:  cannot alter table "t" because function f(t) uses its row type
#   15.20 standard body, no default: ALTER TABLE
#   15.20 quoted body, default: ALTER TABLE
#
# Exit: 0 while this is so, 1 when it has changed, 2 when it could not be tried (these packages are
# not to be had, or the shared libraries of Debian 12 are missing).
set -u

SAID=$(sed -n '/^# Output seen:/,/^#$/s/^#   //p' "$0")
FOLDER=$(mktemp -d) || exit 2
chmod 755 "$FOLDER"
# PostgreSQL does not run as root; root lends it the user nobody.
RUN=()
if [ "$(id -u)" = 0 ]; then RUN=(setpriv --reuid=65534 --regid=65534 --clear-groups); fi

stop_server() {
    [ -n "${BIN:-}" ] && "${RUN[@]}" "$BIN/pg_ctl" -D "$DATA" -m immediate stop >/dev/null 2>&1
    BIN=
}
trap 'stop_server; rm -rf "$FOLDER"' EXIT
give_up() { echo "could not be tried: $1" >&2; exit 2; }

start_server() { # VERSION of the packages
    local place=$FOLDER/$1
    mkdir "$place"
    cd "$place" || give_up "no folder"
    apt-get download "postgresql-15=$1" "postgresql-client-15=$1" >apt.log 2>&1 ||
        give_up "postgresql-15 $1 is not to be had"
    for package in *.deb; do dpkg -x "$package" unpacked || give_up "$package"; done
    DATA=$place/data
    mkdir "$DATA"
    if [ "$(id -u)" = 0 ]; then chown 65534:65534 "$DATA"; fi
    cd /
    BIN=$place/unpacked/usr/lib/postgresql/15/bin
    "${RUN[@]}" "$BIN/initdb" -D "$DATA" -U me -A trust --locale=C >"$place/initdb.log" 2>&1 ||
        give_up "initdb: $(tail -n 1 "$place/initdb.log")"
    "${RUN[@]}" "$BIN/pg_ctl" -D "$DATA" -w -l "$DATA/log" -o "-h '' -k '$DATA'" start >/dev/null ||
        give_up "the server did not start"
}

answer() { # VERSION LABEL BODY COLUMN: what the server says of adding the column
    printf '%s %s: ' "${1%%-*}" "$2"
    "$BIN/psql" -h "$DATA" -U me -d postgres -X -q -c "
        DROP TABLE IF EXISTS t CASCADE;
        CREATE TABLE t (a int);
        CREATE FUNCTION f(t) RETURNS int LANGUAGE sql $3" >/dev/null 2>&1 || give_up "the set-up"
    "$BIN/psql" -h "$DATA" -U me -d postgres -X -c "ALTER TABLE t ADD COLUMN b int $4" 2>&1
}

try() { # VERSION
    start_server "$1"
    answer "$1" "standard body, default" "RETURN (\$1).a" "DEFAULT 0"
    answer "$1" "standard body, no default" "RETURN (\$1).a" ""
    answer "$1" "quoted body, default" "AS 'SELECT (\$1).a'" "DEFAULT 0"
    stop_server
}

# No subshells: what gives up ends the script.
try 15.18-0+deb12u1 >"$FOLDER/seen"
try 15.20-0+deb12u1 >>"$FOLDER/seen"
cat "$FOLDER/seen"
if [ "$(cat "$FOLDER/seen")" != "$SAID" ]; then
    echo "this is not what was seen before" >&2
    exit 1
fi
