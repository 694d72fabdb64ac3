-- after: 0024_messages
-- Whom a message was addressed to: names, or * when it went to everybody or a whole channel.
CREATE OR REPLACE FUNCTION addressees(recipients text[], is_public boolean)
RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT CASE WHEN is_public THEN '*' ELSE array_to_string(recipients, ', ') END $$;
