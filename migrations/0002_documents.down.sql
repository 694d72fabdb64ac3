DROP FUNCTION match_lexemes(text[], narrowing, integer, integer);
DROP FUNCTION as_query(text[]);
DROP FUNCTION admits(chunks, narrowing);
DROP TYPE narrowing;
DROP TABLE chunks;
DROP TABLE document_versions;
DROP TABLE documents;
