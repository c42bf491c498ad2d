-- KEYS: name, names, outbox. ARGV: the name's record, the name, a record that may be replaced, 1 where the name is a username, which
-- is listed.
-- Answers the record that is in the way, if one is.
local now = redis.call('GET', KEYS[1])
if now and now ~= ARGV[3] then return now end
redis.call('SET', KEYS[1], ARGV[1])
if ARGV[4] == '1' then
  redis.call('ZADD', KEYS[2], 0, ARGV[2])
else
  redis.call('ZREM', KEYS[2], ARGV[2])
end
keep_events()
return false
