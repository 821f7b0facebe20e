-- Failures are counted by client address too (failure.kind = 'address'): an IPv4 address, or the /64 of an IPv6 address.
-- Times are seconds since 1970-01-01 00:00:00 UTC.

-- When a count is forgotten by itself, though nobody was locked. NULL: never, as with users, whose count a right second
-- factor ends.
ALTER TABLE failure ADD COLUMN forget_at INTEGER;
