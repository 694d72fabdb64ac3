-- Why: a route that was corrected starts anew: what failed through the former one says nothing of it.

-- By what the route that was announced last is known; empty before any was.
ALTER TABLE doorbells ADD COLUMN route_digest text NOT NULL DEFAULT '';
