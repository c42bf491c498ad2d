-- KEYS: sessions. ARGV: now, idle, absolute (ms). Ends what is over and answers how many there were.
local all, ended = redis.call('HGETALL', KEYS[1]), 0
local now, idle, absolute = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
for i = 1, #all, 2 do
  local s = read_session(all[i + 1])
  if now - s.rotated >= idle or now - s.started >= absolute then
    redis.call('HDEL', KEYS[1], all[i])
    ended = ended + 1
  end
end
return ended
