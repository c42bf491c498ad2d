-- KEYS: sessions. ARGV: the caller's time, idle, absolute (ms). Ends what is over and answers {ended, left}.
local all, ended, alive = redis.call('HGETALL', KEYS[1]), 0, 0
local now, idle, absolute, youngest = session_time(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), 0
for i = 1, #all, 2 do
  local s = read_session(all[i + 1])
  if now - s.rotated >= idle or now - s.started >= absolute then
    redis.call('HDEL', KEYS[1], all[i])
    ended = ended + 1
  else
    youngest, alive = math.max(youngest, s.started), alive + 1
  end
end
-- It began under a shorter absolute lifetime, perhaps: what is alive under the one of now stays.
local left, kept = youngest + absolute - now, redis.call('PTTL', KEYS[1])
if kept >= 0 and kept < left then redis.call('PEXPIRE', KEYS[1], left) end
return {ended, alive}
