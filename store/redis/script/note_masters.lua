-- KEYS: install, masters, last loss. ARGV: the run ids of the masters of now. One that is not known was restarted or has
-- taken over, and may lack what was acknowledged. Answers the last loss (ms), or 0. Without an install nothing is written.
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
local news = redis.call('HLEN', KEYS[2]) ~= #ARGV
for i = 1, #ARGV do
  if redis.call('HEXISTS', KEYS[2], ARGV[i]) == 0 then news = true end
end
if news then
  local time = redis.call('TIME')
  redis.call('SET', KEYS[3], string.format('%.0f', tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)))
  redis.call('DEL', KEYS[2])
  for i = 1, #ARGV do redis.call('HSET', KEYS[2], ARGV[i], '') end
end
return tonumber(redis.call('GET', KEYS[3]) or '0')
