-- Why: an agent whose client is not listening is woken through a door of its own: which door, what is to be rung, what came of it.

-- Routes that were added by command. A secret is named here, never held.
CREATE TABLE wake_routes (
    agent_id text PRIMARY KEY,
    route    jsonb NOT NULL CHECK (jsonb_typeof(coalesce(nullif(route -> 'token', 'null'), '{}')) = 'object'),
    added_at timestamptz NOT NULL DEFAULT now()
);
SELECT protect('wake_routes', 'false', 'false');

-- One for each agent that can be woken, by an added route or by one in some server's configuration. Whoever holds its
-- lease is the one who rings. Its failures follow one another: the pause grows with them, across rings.
CREATE TABLE doorbells (
    agent_id     text PRIMARY KEY,
    min_priority smallint NOT NULL,
    announced_at timestamptz NOT NULL DEFAULT now(),
    failures     integer NOT NULL DEFAULT 0,
    problem      text NOT NULL DEFAULT '',
    next_try_at  timestamptz NOT NULL DEFAULT now(),
    lease        uuid,
    leased_until timestamptz
);
SELECT protect('doorbells', 'false', 'false');

-- One ring is for all that had come by then. Its id is the key that an endpoint knows a repetition by, so what it is
-- for never changes; what comes later is for the next one.
CREATE TABLE rings (
    id       uuid PRIMARY KEY,
    agent_id text NOT NULL,
    kind     text NOT NULL,
    state    text NOT NULL DEFAULT 'trying' CHECK (state IN ('trying', 'rung', 'given_up', 'not_needed')),
    attempts integer NOT NULL DEFAULT 0,
    problem  text NOT NULL DEFAULT '',
    begun_at timestamptz NOT NULL DEFAULT now(),
    ended_at timestamptz
);
CREATE UNIQUE INDEX rings_trying ON rings (agent_id) WHERE state = 'trying';
CREATE INDEX rings_given_up ON rings (agent_id, ended_at) WHERE state = 'given_up';
SELECT protect('rings', 'false', 'false');

-- The outbox: one for each delivery to an agent that can be woken, due until it was rung for or needs no ring.
CREATE TABLE bells (
    agent_id   text NOT NULL,
    message_id bigint NOT NULL,
    priority   smallint NOT NULL,
    state      text NOT NULL DEFAULT 'due' CHECK (state IN ('due', 'rung', 'given_up', 'not_needed')),
    ring       uuid REFERENCES rings (id),
    queued_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (agent_id, message_id),
    FOREIGN KEY (agent_id, message_id) REFERENCES deliveries (agent_id, message_id) ON DELETE CASCADE
);
CREATE INDEX bells_due ON bells (agent_id, queued_at) WHERE state = 'due';
CREATE INDEX bells_message ON bells (message_id);
CREATE INDEX bells_ring ON bells (ring) WHERE ring IS NOT NULL;
SELECT protect('bells', 'false', 'false');

-- In the transaction of the delivery itself: there is no delivery without its bell, and none that was rolled back rings.
CREATE FUNCTION queue_bells() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    before text := coalesce(current_setting('mcp_memory.maintenance', true), '');
BEGIN
    PERFORM set_config('mcp_memory.maintenance', 'on', true);
    INSERT INTO bells (agent_id, message_id, priority)
    SELECT a.agent_id, a.message_id, a.priority
    FROM added a
    JOIN doorbells d ON d.agent_id = a.agent_id AND d.min_priority <= a.priority
    ON CONFLICT DO NOTHING;
    IF FOUND THEN
        PERFORM pg_notify('mcp_memory_wake', 'due');
    END IF;
    PERFORM set_config('mcp_memory.maintenance', before, true);
    RETURN NULL;
END $$;
CREATE TRIGGER queue_bells AFTER INSERT ON deliveries
REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION queue_bells();

-- Whether a message still waits for its recipient: unread, and in nobody's hands.
CREATE FUNCTION is_waiting(state text, leased_until timestamptz, expires_at timestamptz) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
RETURN state IN ('queued', 'delivered')
    AND (leased_until IS NULL OR leased_until <= now())
    AND (expires_at IS NULL OR expires_at > now());

-- How the recipients of a message were woken: for its sender alone.
CREATE FUNCTION bells_of(wanted bigint) RETURNS TABLE (
    agent text, kind text, state text, attempts integer, problem text, changed_at timestamptz
)
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    before text := coalesce(current_setting('mcp_memory.maintenance', true), '');
BEGIN
    PERFORM set_config('mcp_memory.maintenance', 'on', true);
    RETURN QUERY
    SELECT b.agent_id, coalesce(r.kind, ''),
           CASE WHEN b.state <> 'due' THEN b.state WHEN r.id IS NULL THEN 'waiting' ELSE 'trying' END,
           coalesce(r.attempts, 0), coalesce(r.problem, ''), coalesce(r.ended_at, b.queued_at)
    FROM messages m
    JOIN bells b ON b.message_id = m.id
    LEFT JOIN rings r ON r.id = b.ring
    WHERE m.id = wanted AND visible(m.agent_id, false)
    ORDER BY b.agent_id;
    PERFORM set_config('mcp_memory.maintenance', before, true);
END $$;
