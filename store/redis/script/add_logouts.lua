-- KEYS: logouts, due, ended, dropped. ARGV: how many wait at most, the caller's time, then session id, when it ended (ms; 0: now), user id
-- and client id of each in turn. Answers how many were dropped. An entry (package codec), and what orders the entries, all scores 0:
--   logouts: session id → due 8 | attempts 4 | ended 8 | user id 16 | client id
--   due: due 8 | session id        ended: ended 8 | session id
local now = session_time(ARGV[2])
for i = 3, #ARGV, 4 do
  local id, ended = ARGV[i], tonumber(ARGV[i + 1])
  if ended == 0 then ended = now end
  if redis.call('HSETNX', KEYS[1], id, struct.pack('>I8I4I8', now, 0, ended) .. ARGV[i + 2] .. ARGV[i + 3]) == 1 then
    redis.call('ZADD', KEYS[2], 0, struct.pack('>I8', now) .. id)
    redis.call('ZADD', KEYS[3], 0, struct.pack('>I8', ended) .. id)
  end
end
local dropped = 0
for _ = tonumber(ARGV[1]) + 1, redis.call('HLEN', KEYS[1]) do
  local oldest = redis.call('ZRANGEBYLEX', KEYS[3], '-', '+', 'LIMIT', 0, 1)[1]
  if not oldest then break end
  remove_logout(string.sub(oldest, 9))
  redis.call('ZREM', KEYS[3], oldest) -- also where it has no entry
  redis.call('INCR', KEYS[4])
  dropped = dropped + 1
end
return dropped
