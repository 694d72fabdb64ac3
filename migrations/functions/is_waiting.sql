-- after: 0024_messages
-- Whether a message still waits for its recipient: unread, and in nobody's hands.
CREATE OR REPLACE FUNCTION is_waiting(state text, leased_until timestamptz, expires_at timestamptz)
RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT state IN ('queued', 'delivered')
        AND (leased_until IS NULL OR leased_until <= now())
        AND (expires_at IS NULL OR expires_at > now())
$$;
