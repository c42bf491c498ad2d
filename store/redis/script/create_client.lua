-- KEYS: clients, version, least epoch, outbox. ARGV: client id, new version, the client's epoch, record. Where that epoch is
-- below the least one for new clients, answers the least one.
local least = redis.call('GET', KEYS[3]) or '0'
if tonumber(ARGV[3]) < tonumber(least) then return least end
if redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[4]) == 0 then return 'exists' end
redis.call('SET', KEYS[2], ARGV[2])
keep_events()
return 'ok'
