-- The lines of a hold are of different types because whoever makes a hold says so (a request that
-- repeats a type is refused), and they are only ever read by their hold. A second random index is a
-- tenth of what PostgreSQL does for a hold.
ALTER TABLE hold_lines DROP CONSTRAINT hold_lines_type_once;
