-- KEYS: user, sessions. ARGV: the new not-before (ms). Answers how many sessions ended and the user's new record.
local user = redis.call('GET', KEYS[1])
if not user then return {'not found'} end
local time = math.max(tonumber(ARGV[1]), not_before(user))
local revision = (struct.unpack('>I4', user) + 1) % 4294967296
user = struct.pack('>I4', revision) .. string.sub(user, 5, 22) .. struct.pack('>I8', time) .. string.sub(user, 31)
redis.call('SET', KEYS[1], user)
return {'ok', end_before(KEYS[2], time), user}
