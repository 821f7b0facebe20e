-- Users, their second factors, and what has been asked of them.
-- Times are seconds since 1970-01-01 00:00:00 UTC.
-- A migration is never edited once it has landed: the next change is the next file.

CREATE TABLE user (
    id            INTEGER PRIMARY KEY,
    name          TEXT    NOT NULL UNIQUE,
    state         TEXT    NOT NULL DEFAULT 'enabled' CHECK (state IN ('enabled', 'disabled')),
    factor        TEXT    CHECK (factor IN ('totp', 'duo')), -- NULL: as in the settings
    created_at    INTEGER NOT NULL,
    last_login_at INTEGER
) STRICT;

-- One row a token; a user may have several.
CREATE TABLE totp_token (
    id          INTEGER PRIMARY KEY,
    user_id     INTEGER NOT NULL REFERENCES user (id) ON DELETE CASCADE,
    label       TEXT    NOT NULL DEFAULT '',
    secret      BLOB    NOT NULL CHECK (length(secret) >= 10),
    sealed_with TEXT,                                        -- NULL: the secret is stored as it is
    algorithm   TEXT    NOT NULL DEFAULT 'SHA1' CHECK (algorithm IN ('SHA1', 'SHA256', 'SHA512')),
    digits      INTEGER NOT NULL DEFAULT 6 CHECK (digits BETWEEN 6 AND 8),
    period      INTEGER NOT NULL DEFAULT 30 CHECK (period BETWEEN 1 AND 86400),
    last_step   INTEGER,                                     -- the last step accepted; no step up to it is accepted again
    last_offset INTEGER,                                     -- how many steps the user's clock was ahead then
    created_at  INTEGER NOT NULL
) STRICT;
CREATE INDEX totp_token_by_user ON totp_token (user_id);

-- Codes for the day on which the telephone is lost: salted hashes, each good once.
CREATE TABLE backup_code (
    id      INTEGER PRIMARY KEY,
    user_id INTEGER NOT NULL REFERENCES user (id) ON DELETE CASCADE,
    salt    BLOB    NOT NULL,
    hash    BLOB    NOT NULL,
    used_at INTEGER
) STRICT;
CREATE INDEX backup_code_by_user ON backup_code (user_id);

-- Questions that wait for an answer, under the SHA-256 of their names. Not tied to user: those who have their factor
-- elsewhere are asked too.
CREATE TABLE challenge (
    key         BLOB    PRIMARY KEY,
    user        TEXT    NOT NULL, -- who passed the primary check
    identity    TEXT    NOT NULL, -- whose second factor is wanted
    common_name TEXT,
    certificate TEXT,
    expires_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX challenge_by_expiry ON challenge (expires_at);
CREATE INDEX challenge_by_identity ON challenge (identity);

-- Failed second factors in a row, by what is locked. No row: none.
CREATE TABLE failure (
    kind         TEXT    NOT NULL CHECK (kind IN ('user', 'address')),
    subject      TEXT    NOT NULL,
    count        INTEGER NOT NULL,
    locked_until INTEGER,
    PRIMARY KEY (kind, subject)
) STRICT, WITHOUT ROWID;
