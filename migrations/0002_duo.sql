-- Users whose second factor is at Duo.
-- Times are seconds since 1970-01-01 00:00:00 UTC.

-- What the answer to a question is to be, as JSON ("code", "duo", and Duo's with what there is to choose from).
ALTER TABLE challenge ADD COLUMN asked TEXT NOT NULL DEFAULT '"code"';

-- Telephones that wait for their owner to say yes or no: one a user.
CREATE TABLE push (
    identity   TEXT    PRIMARY KEY,
    open_until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
