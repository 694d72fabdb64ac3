-- after: 0024_messages
-- The state of a delivery, which has expired before anybody notes it.
CREATE OR REPLACE FUNCTION state_now(state text, expires_at timestamptz) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN state IN ('queued', 'delivered') AND expires_at <= now() THEN 'expired'
        ELSE state
    END
$$;
