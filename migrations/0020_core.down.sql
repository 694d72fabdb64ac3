DROP TABLE api_keys;
DROP TABLE registered_databases;
DROP TABLE audit_log;
DROP TABLE idempotency_keys;
DROP TABLE protected_tables;
