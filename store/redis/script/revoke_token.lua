-- KEYS: revoked token. ARGV: how long it matters (ms). Never shortens what is there.
local left = tonumber(ARGV[1])
if left > redis.call('PTTL', KEYS[1]) then redis.call('SET', KEYS[1], '', 'PX', ARGV[1]) end
return 1
