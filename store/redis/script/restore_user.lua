-- KEYS: user, sessions. ARGV: a record that was acknowledged. Puts it back where the store has lost it: where
-- what is there has a later revision only the not-before counts. On a tie another line of changes has come as
-- far, and what was acknowledged first wins.
local now, lost = redis.call('GET', KEYS[1]), ARGV[1]
if not now then return 0 end
local time = math.max(not_before(now), not_before(lost))
local base = struct.unpack('>I4', now) <= struct.unpack('>I4', lost) and lost or now
redis.call('SET', KEYS[1], with_not_before(base, time))
if time > 0 then end_before(KEYS[2], time) end
return 1
