-- KEYS: clients, version. ARGV: client id, new version. Answers the record that was there.
local client = redis.call('HGET', KEYS[1], ARGV[1])
if not client then return false end
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('SET', KEYS[2], ARGV[2])
return client
