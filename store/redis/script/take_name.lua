-- KEYS: name, names, outbox. ARGV: the name's record, the username, the record of a user who is gone and may be replaced.
-- Answers the record that is in the way, if one is.
local now = redis.call('GET', KEYS[1])
if now and now ~= ARGV[3] then return now end
redis.call('SET', KEYS[1], ARGV[1])
redis.call('ZADD', KEYS[2], 0, ARGV[2])
keep_events()
return false
