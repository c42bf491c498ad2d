-- KEYS: name. ARGV: the name's record with a newer copy. An older copy never replaces a newer one: of the same revision
-- the higher epoch is newer.
local function epoch_of(name)
  if math.floor(string.byte(name, 9) / 2) % 2 == 0 then return 0 end
  return (struct.unpack('>I4', name, 26))
end
local now = redis.call('GET', KEYS[1])
if not now or string.sub(now, 10, 25) ~= string.sub(ARGV[1], 10, 25) then return 0 end
local copied, least = struct.unpack('>I4I4', now)
local revision = struct.unpack('>I4', ARGV[1])
if revision < copied or revision == copied and epoch_of(ARGV[1]) <= epoch_of(now) then return 0 end
redis.call('SET', KEYS[1], struct.pack('>I4I4', revision, math.max(least, revision)) .. string.sub(ARGV[1], 9))
return 1
