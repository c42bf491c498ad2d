-- KEYS: sessions, outbox. ARGV: session id. Answers whether it was there.
local existed = redis.call('HDEL', KEYS[1], ARGV[1])
if existed == 1 then keep_events() end
return existed
