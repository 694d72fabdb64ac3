DROP INDEX chunks_text_hash;
DROP TABLE vector_jobs;
DROP TABLE vectors;
DROP TABLE vector_spaces;
