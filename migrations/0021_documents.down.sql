DROP TABLE chunk_usage;
DROP TABLE word_changes;
DROP TABLE word_counts;
DROP TYPE search_filter;
DROP TABLE chunks;
DROP TABLE document_versions;
DROP TABLE documents;
