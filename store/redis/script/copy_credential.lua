-- KEYS: name. ARGV: the name's record with a newer copy. An older copy never replaces a newer one.
local now = redis.call('GET', KEYS[1])
if not now or string.sub(now, 10, 25) ~= string.sub(ARGV[1], 10, 25) then return 0 end
local copied, least = struct.unpack('>I4I4', now)
local revision = struct.unpack('>I4', ARGV[1])
if revision <= copied then return 0 end
redis.call('SET', KEYS[1], struct.pack('>I4I4', revision, math.max(least, revision)) .. string.sub(ARGV[1], 9))
return 1
