DROP TRIGGER forget_usage ON chunks;
DROP FUNCTION forget_usage();
DROP FUNCTION add_usage(bigint[], text[], bigint[], bigint[]);
DROP TABLE chunk_usage;
