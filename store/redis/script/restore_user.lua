-- KEYS: user, sessions. ARGV: a record that was acknowledged. Puts it back where the store has lost it.
local now = redis.call('GET', KEYS[1])
if not now or struct.unpack('>I4', now) >= struct.unpack('>I4', ARGV[1]) then return 0 end
redis.call('SET', KEYS[1], ARGV[1])
if not_before(ARGV[1]) > 0 then end_before(KEYS[2], not_before(ARGV[1])) end
return 1
