-- after: 0021_documents
-- Whoever keeps answers must hear when they are old. Each change of what can be found notifies its
-- owner's name, or * when others see it too, inside the writing transaction: nobody hears of what
-- was rolled back.
CREATE OR REPLACE FUNCTION tell_owners(owners text[]) RETURNS void
LANGUAGE sql AS $$
    SELECT pg_notify('mcp_memory_epoch', owner) FROM unnest(owners) owner
$$;
