-- after: 0024_messages
-- In the transaction of the delivery itself: there is no delivery without its wake job, and none
-- that was rolled back wakes anybody.
CREATE OR REPLACE FUNCTION queue_wake_jobs() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    before text := coalesce(current_setting('mcp_memory.maintenance', true), '');
BEGIN
    PERFORM set_config('mcp_memory.maintenance', 'on', true);
    INSERT INTO wake_jobs (agent_id, message_id, priority)
    SELECT a.agent_id, a.message_id, a.priority
    FROM added a
    JOIN wake_leases d ON d.agent_id = a.agent_id AND d.min_priority <= a.priority
    ON CONFLICT DO NOTHING;
    IF FOUND THEN
        PERFORM pg_notify('mcp_memory_wake', 'due');
    END IF;
    PERFORM set_config('mcp_memory.maintenance', before, true);
    RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER queue_wake_jobs AFTER INSERT ON deliveries
REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION queue_wake_jobs();
