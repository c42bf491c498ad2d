-- KEYS: user, sessions. ARGV: the record as it was read, the record as it is to be.
local now = redis.call('GET', KEYS[1])
if not now then return 'not found' end
if now ~= ARGV[1] then return 'raced' end
redis.call('SET', KEYS[1], ARGV[2])
if not_before(ARGV[2]) > 0 then end_before(KEYS[2], not_before(ARGV[2])) end
return 'ok'
