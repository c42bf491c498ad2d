-- KEYS: user, sessions. ARGV: the new not-before (ms). Answers how many sessions ended and the user's new record.
-- The revision stays: it counts what operators change of a user.
local user = redis.call('GET', KEYS[1])
if not user then return {'not found'} end
local time = math.max(tonumber(ARGV[1]), not_before(user))
user = with_not_before(user, time)
redis.call('SET', KEYS[1], user)
return {'ok', end_before(KEYS[2], time), user}
