-- KEYS: clients, version, least epoch, outbox. ARGV: client id, the record as it was read, new version, the least epoch of clients
-- that come after this one.
local now = redis.call('HGET', KEYS[1], ARGV[1])
if not now then return 'not found' end
if now ~= ARGV[2] then return 'raced' end
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('SET', KEYS[2], ARGV[3])
if tonumber(ARGV[4]) > tonumber(redis.call('GET', KEYS[3]) or '0') then redis.call('SET', KEYS[3], ARGV[4]) end
keep_events()
return 'ok'
