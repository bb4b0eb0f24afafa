CREATE TABLE groups (
    id int CONSTRAINT groups_pkey PRIMARY KEY
);

CREATE TABLE things (
    id       int  CONSTRAINT things_pkey PRIMARY KEY,
    n        int  NOT NULL DEFAULT 0 CONSTRAINT things_n_positive CHECK (n >= 0),
    label    varchar(3),
    group_id int  CONSTRAINT things_group_fkey REFERENCES groups (id),
    twin     int  CONSTRAINT things_twin_fkey REFERENCES things (id) DEFERRABLE INITIALLY DEFERRED
);
