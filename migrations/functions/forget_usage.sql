-- after: 0021_documents
-- Usage of chunks that are gone; there is no foreign key that would do it.
CREATE OR REPLACE FUNCTION forget_usage() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    before text := coalesce(current_setting('mcp_memory.maintenance', true), '');
BEGIN
    PERFORM set_config('mcp_memory.maintenance', 'on', true);
    DELETE FROM chunk_usage u USING gone WHERE u.chunk_id = gone.id;
    PERFORM set_config('mcp_memory.maintenance', before, true);
    RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER forget_usage AFTER DELETE ON chunks
REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION forget_usage();
