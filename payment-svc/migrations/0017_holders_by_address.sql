-- Which tickets of other people's orders somebody has who asks to be forgotten.
CREATE INDEX ticket_transfers_by_address ON ticket_transfers (lower(email)) WHERE email <> '';
