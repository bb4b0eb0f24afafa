-- What superadmins published in place of the templates that come with the program, which are version
-- 0 of their kind and language and stand in no row. A mail is written in the version that was in force
-- when its notification was made, so versions stay.
CREATE TABLE template_versions (
    kind text NOT NULL
        CONSTRAINT template_versions_kind CHECK (kind IN (
            'receipt', 'unfulfillable', 'refunded', 'cancelled', 'postponed', 'reminder',
            'awaiting_transfer', 'ticket_transferred', 'lookup_code', 'admin_invitation',
            'password_reset')),
    language text NOT NULL
        CONSTRAINT template_versions_language CHECK (language IN ('en', 'de', 'fr')),
    version int NOT NULL CONSTRAINT template_versions_version CHECK (version > 0),
    -- None: what comes with the program is in force again.
    source text
        CONSTRAINT template_versions_source CHECK (octet_length(source) BETWEEN 1 AND 16384),
    note text NOT NULL,
    published_by text NOT NULL,
    published_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT template_versions_pkey PRIMARY KEY (kind, language, version)
);
CREATE TRIGGER template_versions_append_only BEFORE UPDATE OR DELETE ON template_versions
    FOR EACH ROW EXECUTE FUNCTION append_only();
