-- What the organiser says of the date that the event was postponed to.
ALTER TABLE events ADD COLUMN postpone_reason text NOT NULL DEFAULT '';
