-- after: 0024_messages
-- A recipient who could point a delivery elsewhere could read what was sent to others.
CREATE OR REPLACE FUNCTION refuse_readdressing() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a delivery stays with its message and its recipient'
        USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE OR REPLACE TRIGGER refuse_readdressing
BEFORE UPDATE OF agent_id, message_id, sender, priority, expires_at ON deliveries
FOR EACH ROW EXECUTE FUNCTION refuse_readdressing();
