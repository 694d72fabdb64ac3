DROP FUNCTION match_lexemes(text[], text[], text, text[], timestamptz, timestamptz, integer, integer);
DROP FUNCTION as_query(text[]);
DROP FUNCTION admits(chunks, text[], text, text[], timestamptz, timestamptz);
DROP TABLE chunks;
DROP TABLE document_versions;
DROP TABLE documents;
