DROP FUNCTION bells_of(bigint);
DROP FUNCTION is_waiting(text, timestamptz, timestamptz);
DROP TRIGGER queue_bells ON deliveries;
DROP FUNCTION queue_bells();
DROP TABLE bells;
DROP TABLE rings;
DROP TABLE doorbells;
DROP TABLE wake_routes;
