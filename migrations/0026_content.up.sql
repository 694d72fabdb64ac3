-- Why: a restore replaces a database that holds nothing. Which tables have rows before anybody wrote, the database itself
-- says; a migration that adds a table must say it too, since there is no default.

ALTER TABLE protected_tables ADD COLUMN has_content boolean;
UPDATE protected_tables
SET has_content = name NOT IN ('agents', 'vector_spaces', 'wake_leases', 'word_changes', 'word_counts');
ALTER TABLE protected_tables ALTER COLUMN has_content SET NOT NULL;
