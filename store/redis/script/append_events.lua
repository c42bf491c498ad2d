-- KEYS: last number, stream of earlier versions, one stream a class.
-- ARGV: how many events are kept in all, how many of each class, then class and event in turn.
local classes = #KEYS - 2
local number
for i = classes + 2, #ARGV, 2 do
  number = redis.call('INCR', KEYS[1])
  local class = tonumber(ARGV[i])
  redis.call('XADD', KEYS[2 + class], 'MAXLEN', '~', ARGV[1 + class], string.format('%.0f-0', number), 'e', ARGV[i + 1])
end
-- What earlier versions wrote goes when as many events have come after it as are kept in all.
local newest = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
if newest and tonumber(string.match(newest[1], '^%d+')) <= number - tonumber(ARGV[1]) then
  redis.call('UNLINK', KEYS[2])
end
return (#ARGV - classes - 1) / 2
