"""The SQL of what a version states besides its text."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import LiteralString

from psycopg.rows import class_row

from mcp_memory.memory.facts.model import Link, Mention, Relation, Statements, VersionContent
from mcp_memory.postgres.connection import Connection

# The rows come when their version's span is there, and so know at once what it amounts to.
_ADD_MENTION = """
INSERT INTO memory_mentions (memory_id, version, agent_id, shared, entity_id, name, type, normal,
                             known_as, truth, expires_at)
SELECT t.memory_id, t.version, current_agent(), t.shared, %(entity_id)s, %(name)s, %(type)s,
       %(normal)s, %(known_as)s, t.truth, t.expires_at
FROM truths_of(ARRAY[%(memory_id)s::bigint]) t
WHERE t.version = %(version)s
ON CONFLICT DO NOTHING
"""

_ADD_RELATION = """
INSERT INTO memory_relations (memory_id, version, agent_id, shared, subject_id, relation, object_id,
                              subject, object, valid_from, valid_until, truth, expires_at)
SELECT t.memory_id, t.version, current_agent(), t.shared, %(subject_id)s, %(relation)s,
       %(object_id)s, %(subject)s, %(object)s, %(valid_from)s, %(valid_until)s,
       t.truth * tstzrange(%(valid_from)s, %(valid_until)s), t.expires_at
FROM truths_of(ARRAY[%(memory_id)s::bigint]) t
WHERE t.version = %(version)s
"""

# The policy of facts decides whether the target is there.
_ADD_LINK = """
INSERT INTO memory_links (memory_id, version, agent_id, shared, target_id, relation_type, truth,
                          expires_at)
SELECT t.memory_id, t.version, current_agent(), t.shared, m.id, %(relation_type)s, t.truth,
       t.expires_at
FROM truths_of(ARRAY[%(memory_id)s::bigint]) t
JOIN memories m ON m.id = %(target_id)s AND visible(m.agent_id, m.shared)
WHERE t.version = %(version)s
ON CONFLICT DO NOTHING
"""


async def add_statements(conn: Connection, version: VersionContent, statements: Statements) -> None:
    """Keep what the version states; a link to what has become invisible is left out."""
    await _add_all(conn, _ADD_MENTION, version, statements.mentions)
    await _add_all(conn, _ADD_RELATION, version, statements.relations)
    await _add_all(conn, _ADD_LINK, version, statements.links)


async def _add_all(
    conn: Connection,
    statement: LiteralString,
    version: VersionContent,
    rows: Sequence[Mention | Relation | Link],
) -> None:
    version_key = {"memory_id": version.memory_id, "version": version.version}
    if rows:
        async with conn.cursor() as cursor:
            await cursor.executemany(statement, [version_key | asdict(row) for row in rows])


_MENTIONS = """
SELECT entity_id, name, type, normal, known_as
FROM memory_mentions
WHERE memory_id = %(memory_id)s AND version = %(version)s
ORDER BY entity_id, normal
"""

_RELATIONS = """
SELECT subject_id, relation, object_id, subject, object, valid_from, valid_until
FROM memory_relations
WHERE memory_id = %(memory_id)s AND version = %(version)s
ORDER BY id
"""

_LINKS = """
SELECT target_id, relation_type
FROM memory_links
WHERE memory_id = %(memory_id)s AND version = %(version)s
ORDER BY id
"""


async def get_statements(conn: Connection, version: VersionContent) -> Statements:
    """What the version states."""
    version_key = {"memory_id": version.memory_id, "version": version.version}
    async with conn.cursor(row_factory=class_row(Mention)) as cursor:
        mentions = await (await cursor.execute(_MENTIONS, version_key)).fetchall()
    async with conn.cursor(row_factory=class_row(Relation)) as cursor:
        relations = await (await cursor.execute(_RELATIONS, version_key)).fetchall()
    async with conn.cursor(row_factory=class_row(Link)) as cursor:
        links = await (await cursor.execute(_LINKS, version_key)).fetchall()
    return Statements(mentions, relations, links)


_VISIBLE = """
SELECT m.id
FROM memories m
WHERE m.id = ANY (%(ids)s) AND visible(m.agent_id, m.shared) AND m.forgotten_at IS NULL
  AND (m.expires_at IS NULL OR m.expires_at > now())
"""


async def find_visible(conn: Connection, numbers: Sequence[int]) -> set[int]:
    """Which of these facts the caller can see."""
    rows = await (await conn.execute(_VISIBLE, {"ids": list(numbers)})).fetchall()
    return {int(row[0]) for row in rows}
