-- Since when another key signs. A key goes once no token of it can live.
ALTER TABLE signing_keys ADD COLUMN replaced_at timestamptz;
