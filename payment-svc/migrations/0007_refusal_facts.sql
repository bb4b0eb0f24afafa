-- The facts of a refusal, by name, for programs: a replay hears them again with its reason and its
-- sentence. NULL where there are none.
ALTER TABLE orders ADD COLUMN refusal_facts jsonb;
