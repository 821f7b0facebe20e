-- Users who set up their own token at the first login.

-- The secret of the token that a question is about (asked = '"enrolment"'), which nobody has yet. It goes with the question.
ALTER TABLE challenge ADD COLUMN secret BLOB;
ALTER TABLE challenge ADD COLUMN sealed_with TEXT; -- NULL: the secret is stored as it is
