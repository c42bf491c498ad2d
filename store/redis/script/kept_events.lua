-- KEYS: outbox. ARGV: the caller's time, how old an entry must be (ms). Answers names and entries in turn.
local all, ripe, now = redis.call('HGETALL', KEYS[1]), {}, session_time(ARGV[1])
for i = 1, #all, 2 do
  if now - struct.unpack('>I8', all[i + 1], 2) >= tonumber(ARGV[2]) then
    ripe[#ripe + 1], ripe[#ripe + 2] = all[i], all[i + 1]
  end
end
return ripe
