ALTER TABLE doorbells DROP COLUMN route_digest;
