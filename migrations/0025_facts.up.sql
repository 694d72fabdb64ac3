-- Why: facts with a type, the entities they speak of and the relations between them, each true for a span of time.
--
-- Two times. `valid_from` until `valid_until` is when a thing is so in the world (NULL: always, for good); `recorded_at`
-- until `retired_at` is when we held that to be so (NULL: to this day). A memory keeps its id; each change of it is a
-- further version, which is never altered. When a version holds is said by its span, and only spans are ever ended: a
-- shorter one takes the place of a longer one, which stays to tell what was known before.
--
-- What a version says besides its text (mentions, relations, links) belongs to it and holds as long as it does. `truth`
-- on those rows and on chunks is what the spans amount to as far as we know now, empty for what was replaced; settle()
-- keeps it. So `as_of` asks `truth @> as_of`; only `known_at` has to ask the spans (was_known).

CREATE TABLE memories (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    agent_id     text NOT NULL,
    shared       boolean NOT NULL DEFAULT false,
    version      integer NOT NULL DEFAULT 1, -- the newest
    -- What says the same in every respect has the same fingerprint; NULL once that is no longer what is so.
    fingerprint  bytea,
    -- The memory that was so until this one was; a chain, since none is superseded twice.
    supersedes   bigint,
    expires_at   timestamptz,
    created_at   timestamptz NOT NULL DEFAULT now(),
    forgotten_at timestamptz,
    forgotten_because text NOT NULL DEFAULT '',
    UNIQUE (id, agent_id),
    UNIQUE (supersedes),
    FOREIGN KEY (supersedes, agent_id) REFERENCES memories (id, agent_id) ON DELETE SET NULL (supersedes)
);
CREATE UNIQUE INDEX memories_fingerprint ON memories (agent_id, fingerprint) WHERE forgotten_at IS NULL;
CREATE INDEX memories_agent ON memories (agent_id, created_at DESC, id DESC);
CREATE INDEX memories_forgotten ON memories (forgotten_at) WHERE forgotten_at IS NOT NULL;
CREATE INDEX memories_expires ON memories (expires_at) WHERE expires_at IS NOT NULL;
INSERT INTO protected_tables (name, readable)
VALUES ('memories', 'mcp_memory.visible(agent_id, shared AND forgotten_at IS NULL)');

CREATE TABLE memory_versions (
    memory_id   bigint NOT NULL,
    version     integer NOT NULL CHECK (version > 0),
    agent_id    text NOT NULL,
    -- As it was written: what was private then stays private when a later version is shared.
    shared      boolean NOT NULL,
    memory_type text NOT NULL CHECK (memory_type IN (
        'identity', 'goal', 'routine', 'decision', 'todo', 'preference', 'fact', 'correlation', 'prediction', 'event',
        'feedback', 'observation', 'anomaly'
    )),
    content     text NOT NULL,
    tokens      integer NOT NULL,
    reasoning   text NOT NULL DEFAULT '',
    importance  double precision NOT NULL CHECK (importance BETWEEN 0 AND 1),
    confidence  double precision NOT NULL CHECK (confidence BETWEEN 0 AND 1),
    source      text NOT NULL DEFAULT '',
    trust       text NOT NULL CHECK (trust IN ('user', 'agent', 'tool', 'web')),
    session_id  text NOT NULL DEFAULT '',
    message_ids text[] NOT NULL DEFAULT '{}',
    tags        text[] NOT NULL DEFAULT '{}',
    occurred_at timestamptz,
    reason      text NOT NULL DEFAULT '', -- of the change that made this version
    PRIMARY KEY (memory_id, version, agent_id),
    FOREIGN KEY (memory_id, agent_id) REFERENCES memories (id, agent_id) ON DELETE CASCADE
);
CREATE INDEX memory_versions_source ON memory_versions (agent_id, source) WHERE source <> '';
INSERT INTO protected_tables (name, readable) VALUES (
    'memory_versions',
    'mcp_memory.visible(agent_id, shared) AND EXISTS (SELECT FROM mcp_memory.memories m WHERE m.id = memory_id)'
);

CREATE TABLE memory_spans (
    memory_id   bigint NOT NULL,
    version     integer NOT NULL,
    agent_id    text NOT NULL,
    shared      boolean NOT NULL,
    valid_from  timestamptz,
    valid_until timestamptz,
    recorded_at timestamptz NOT NULL,
    retired_at  timestamptz,
    CHECK (valid_from < valid_until),
    CHECK (recorded_at < retired_at),
    FOREIGN KEY (memory_id, version, agent_id) REFERENCES memory_versions (memory_id, version, agent_id)
        ON DELETE CASCADE,
    -- At no time was a memory held to be two things at one instant. (A range of one number stands for equality, for
    -- which GiST would need btree_gist.)
    CONSTRAINT memory_spans_apart EXCLUDE USING gist (
        int8range(memory_id, memory_id, '[]') WITH &&,
        tstzrange(valid_from, valid_until) WITH &&,
        tstzrange(recorded_at, retired_at) WITH &&
    )
);
CREATE UNIQUE INDEX memory_spans_current ON memory_spans (memory_id, version) WHERE retired_at IS NULL;
CREATE INDEX memory_spans_version ON memory_spans (memory_id, version);
INSERT INTO protected_tables (name) VALUES ('memory_spans');

-- A name and what it is a name of; only the owner reads them. Others see, of what is shared, the names in its mentions.
CREATE TABLE entities (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    agent_id   text NOT NULL,
    name       text NOT NULL,
    type       text NOT NULL,
    normal     text NOT NULL, -- the name, folded (memory/facts/model.py)
    words      text[] NOT NULL, -- its lexemes and those of its other names: near ones share some
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (id, agent_id),
    UNIQUE (agent_id, type, normal)
);
CREATE INDEX entities_normal ON entities (agent_id, normal);
CREATE INDEX entities_words ON entities USING gin (words);
INSERT INTO protected_tables (name, readable)
VALUES ('entities', 'agent_id = mcp_memory.current_agent()');

-- Another name of an entity. As a name of one type it leads to one entity; one that is an entity's own name leads there.
CREATE TABLE entity_aliases (
    agent_id  text NOT NULL,
    type      text NOT NULL,
    normal    text NOT NULL,
    alias     text NOT NULL,
    entity_id bigint NOT NULL,
    merged    boolean NOT NULL DEFAULT false, -- said by whoever merged two entities, not by a memory
    PRIMARY KEY (agent_id, type, normal),
    FOREIGN KEY (entity_id, agent_id) REFERENCES entities (id, agent_id) ON DELETE CASCADE
);
CREATE INDEX entity_aliases_entity ON entity_aliases (entity_id);
CREATE INDEX entity_aliases_normal ON entity_aliases (agent_id, normal);
INSERT INTO protected_tables (name, readable)
VALUES ('entity_aliases', 'agent_id = mcp_memory.current_agent()');

-- That a version speaks of an entity, and how it calls it.
CREATE TABLE memory_mentions (
    memory_id  bigint NOT NULL,
    version    integer NOT NULL,
    agent_id   text NOT NULL,
    shared     boolean NOT NULL,
    entity_id  bigint NOT NULL,
    name       text NOT NULL,
    type       text NOT NULL,
    normal     text NOT NULL,
    known_as   text[] NOT NULL DEFAULT '{}', -- the aliases that it was told with, folded
    truth      tstzrange NOT NULL,
    expires_at timestamptz,
    PRIMARY KEY (memory_id, version, entity_id, normal),
    FOREIGN KEY (memory_id, version, agent_id) REFERENCES memory_versions (memory_id, version, agent_id)
        ON DELETE CASCADE,
    FOREIGN KEY (entity_id, agent_id) REFERENCES entities (id, agent_id)
);
CREATE INDEX memory_mentions_entity ON memory_mentions (entity_id, memory_id);
CREATE INDEX memory_mentions_normal ON memory_mentions (normal) WHERE shared;
INSERT INTO protected_tables (name) VALUES ('memory_mentions');

-- That one entity stands in a relation to another, for as long as the version says, and at most as long as that holds.
CREATE TABLE memory_relations (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    memory_id   bigint NOT NULL,
    version     integer NOT NULL,
    agent_id    text NOT NULL,
    shared      boolean NOT NULL,
    subject_id  bigint NOT NULL,
    relation    text NOT NULL CHECK (relation ~ '^[a-z][a-z0-9_]{0,62}$'),
    object_id   bigint NOT NULL,
    subject     text NOT NULL,
    object      text NOT NULL,
    valid_from  timestamptz,
    valid_until timestamptz,
    truth       tstzrange NOT NULL,
    expires_at  timestamptz,
    CHECK (valid_from < valid_until),
    FOREIGN KEY (memory_id, version, agent_id) REFERENCES memory_versions (memory_id, version, agent_id)
        ON DELETE CASCADE,
    FOREIGN KEY (subject_id, agent_id) REFERENCES entities (id, agent_id),
    FOREIGN KEY (object_id, agent_id) REFERENCES entities (id, agent_id)
);
CREATE INDEX memory_relations_version ON memory_relations (memory_id, version);
CREATE INDEX memory_relations_subject ON memory_relations (subject_id, id);
CREATE INDEX memory_relations_object ON memory_relations (object_id, id);
INSERT INTO protected_tables (name) VALUES ('memory_relations');

-- That a memory stands in a relation to another one, which may be one that somebody else shares: whoever follows a
-- link asks whether its end is visible. related_to and contradicts go both ways.
CREATE TABLE memory_links (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    memory_id     bigint NOT NULL,
    version       integer NOT NULL,
    agent_id      text NOT NULL,
    shared        boolean NOT NULL,
    target_id     bigint NOT NULL REFERENCES memories ON DELETE CASCADE,
    relation_type text NOT NULL CHECK (relation_type IN (
        'related_to', 'contradicts', 'updates', 'caused_by', 'result_of', 'part_of', 'triggers', 'reinforces',
        'weakens', 'violated', 'predicts', 'confirmed', 'overrides'
    )),
    truth         tstzrange NOT NULL,
    expires_at    timestamptz,
    CHECK (target_id <> memory_id),
    UNIQUE (memory_id, version, target_id, relation_type),
    FOREIGN KEY (memory_id, version, agent_id) REFERENCES memory_versions (memory_id, version, agent_id)
        ON DELETE CASCADE
);
CREATE INDEX memory_links_target ON memory_links (target_id);
INSERT INTO protected_tables (name) VALUES ('memory_links');

-- A version is found by its chunks, which tell what a search may ask of it.
ALTER TABLE chunks
    ADD CONSTRAINT chunks_memory_fkey FOREIGN KEY (memory_id, memory_version, agent_id)
        REFERENCES memory_versions (memory_id, version, agent_id) ON DELETE CASCADE;
CREATE INDEX chunks_memory ON chunks (memory_id, memory_version, position) WHERE memory_id IS NOT NULL;
