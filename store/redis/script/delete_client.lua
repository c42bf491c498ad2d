-- KEYS: clients, version. ARGV: client id, the record as it was read, new version.
local now = redis.call('HGET', KEYS[1], ARGV[1])
if not now then return 'not found' end
if now ~= ARGV[2] then return 'raced' end
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('SET', KEYS[2], ARGV[3])
return 'ok'
