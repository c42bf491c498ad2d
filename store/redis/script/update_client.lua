-- KEYS: clients, version, outbox. ARGV: client id, the record as it was read, as it is to be, new version.
local now = redis.call('HGET', KEYS[1], ARGV[1])
if not now then return 'not found' end
if now ~= ARGV[2] then return 'raced' end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
redis.call('SET', KEYS[2], ARGV[4])
keep_events()
return 'ok'
