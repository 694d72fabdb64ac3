ALTER TABLE protected_tables DROP COLUMN has_content;
