-- KEYS: streams. ARGV: '>' or '<', the number to read from, the number where to end, how many of each stream.
-- One script, so that no event that comes meanwhile is in one stream and an older one missing from another.
local found = {}
for i, key in ipairs(KEYS) do
  if ARGV[1] == '>' then
    found[i] = redis.call('XRANGE', key, ARGV[2], ARGV[3], 'COUNT', ARGV[4])
  else
    found[i] = redis.call('XREVRANGE', key, ARGV[2], ARGV[3], 'COUNT', ARGV[4])
  end
end
return found
