CREATE TABLE things (id bigint PRIMARY KEY, name text NOT NULL);
INSERT INTO things (id, name) VALUES (1, 'from the template');
