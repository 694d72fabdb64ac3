"""Twenty thousand memories of one agent: what the plans of the graph's statements are tested on."""

import psycopg

AGENT = "crowd"
MEMORIES, ENTITIES, HUB = 20_000, 4_000, 1

_AS_OWNER = """
SELECT set_config('search_path', 'mcp_memory, public', false),
       set_config('mcp_memory.maintenance', 'on', false)
"""
_FILL = (
    "ALTER TABLE chunks DISABLE TRIGGER enqueue_embeddings",
    """
    INSERT INTO memories (agent_id) SELECT 'crowd' FROM generate_series(1, 20000)
    """,
    """
    INSERT INTO memory_versions (memory_id, version, agent_id, shared, memory_type, content,
                                 tokens, importance, confidence, trust)
    SELECT id, 1, agent_id, false, 'fact', 'The kestrel hovers over field ' || id, 6, 0.5, 1,
           'agent'
    FROM memories
    """,
    """
    INSERT INTO memory_spans (memory_id, version, agent_id, shared, recorded_at)
    SELECT id, 1, agent_id, false, created_at FROM memories
    """,
    """
    INSERT INTO chunks (agent_id, source, position, path, title, start_line, end_line, text,
                        text_hash, tokens, lexemes, memory_id, memory_version, memory_type,
                        importance, confidence, truth, indexed_by)
    SELECT agent_id, 'graph', 0, 'graph/m' || memory_id, 'fact', 1, 1, content,
           sha256(content::bytea), tokens,
           array_to_tsvector(ARRAY['field', 'hover', 'kestrel', memory_id::text]),
           memory_id, 1, 'fact', 0.5, 1, '(,)', 32767
    FROM memory_versions
    """,
    """
    INSERT INTO entities (agent_id, name, type, normal, words)
    SELECT 'crowd', 'Entity' || n || ' Miller' || n % 7, 'person',
           'entity' || n || ' miller' || n % 7,
           ARRAY['em', 'entity' || n, 'miller' || n % 7]
    FROM generate_series(1, 4000) n
    """,
    """
    INSERT INTO entity_aliases (agent_id, type, normal, alias, entity_id)
    SELECT agent_id, type, 'alias' || id, 'Alias' || id, id FROM entities
    """,
    """
    INSERT INTO memory_mentions (memory_id, version, agent_id, shared, entity_id, name, type,
                                 normal, truth)
    SELECT m.id, 1, m.agent_id, false, e.id, e.name, e.type, e.normal, '(,)'
    FROM memories m
    JOIN entities e ON e.id = m.id % 4000 + 1
    """,
    """
    INSERT INTO memory_relations (memory_id, version, agent_id, shared, subject_id, relation,
                                  object_id, subject, object, truth)
    SELECT m.id, 1, m.agent_id, false, s.id, 'knows', o.id, s.name, o.name, '(,)'
    FROM memories m
    JOIN entities s ON s.id = CASE WHEN m.id <= 1000 THEN 1 ELSE m.id % 4000 + 1 END
    JOIN entities o ON o.id = m.id * 17 % 4000 + 1
    """,
    """
    INSERT INTO memory_links (memory_id, version, agent_id, shared, target_id, relation_type, truth)
    SELECT id, 1, agent_id, false, id % 20000 + 1, 'related_to', '(,)' FROM memories
    """,
    "ALTER TABLE chunks ENABLE TRIGGER enqueue_embeddings",
)


def fill(url: str) -> None:
    """Add the crowd past the services; nobody is to begin to embed it."""
    with psycopg.connect(url) as conn:
        conn.execute(_AS_OWNER)
        for statement in _FILL:
            conn.execute(statement)
        conn.commit()
        conn.autocommit = True
        while conn.execute("SELECT merge_lexemes()").fetchone() != (0,):
            pass
        conn.execute("VACUUM ANALYZE")
