-- KEYS: name, names. ARGV: user id, name, revision or nothing. Does nothing to a name that is another user's by now, or that
-- the user has taken again with that revision or a later one.
local now = redis.call('GET', KEYS[1])
if not now or string.sub(now, 10, 25) ~= ARGV[1] then return 0 end
if ARGV[3] and struct.unpack('>I4', now) >= tonumber(ARGV[3]) then return 0 end
redis.call('DEL', KEYS[1])
redis.call('ZREM', KEYS[2], ARGV[2])
return 1
