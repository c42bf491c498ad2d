-- KEYS: revoked token, outbox. ARGV: how long it matters (ms). Never shortens what is there. Answers 1 where it has changed something.
local left = tonumber(ARGV[1])
if left > redis.call('PTTL', KEYS[1]) then
  redis.call('SET', KEYS[1], '', 'PX', ARGV[1])
  keep_events()
  return 1
end
return 0
