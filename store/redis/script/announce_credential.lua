-- KEYS: name. ARGV: user id, revision. From now on a copy of an older revision does not count.
local now = redis.call('GET', KEYS[1])
if not now or string.sub(now, 10, 25) ~= ARGV[1] then return 0 end
local copied, least = struct.unpack('>I4I4', now)
redis.call('SET', KEYS[1], struct.pack('>I4I4', copied, math.max(least, tonumber(ARGV[2]))) .. string.sub(now, 9))
return 1
