-- KEYS: name, names. ARGV: user id, username. Does nothing to a name that is another user's by now.
local now = redis.call('GET', KEYS[1])
if not now or string.sub(now, 10, 25) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
redis.call('ZREM', KEYS[2], ARGV[2])
return 1
