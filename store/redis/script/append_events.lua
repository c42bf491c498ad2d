-- KEYS: last number, stream of earlier versions, one stream a class, two hashes of names.
-- ARGV: how many events are kept in all, how many of each class, then class, name in the outbox or nothing, and event in turn.
-- An event whose name is in one of the hashes is on the trail already. They have the names of the last events: one is
-- emptied when the numbers come to its turn.
local remembered = 8192
local classes = #KEYS - 4
local number
for i = classes + 2, #ARGV, 3 do
  local name = ARGV[i + 1]
  if name == '' or redis.call('HEXISTS', KEYS[#KEYS], name) + redis.call('HEXISTS', KEYS[#KEYS - 1], name) == 0 then
    number = redis.call('INCR', KEYS[1])
    local names = KEYS[#KEYS - math.floor(number / remembered) % 2]
    if number % remembered == 0 then redis.call('UNLINK', names) end
    if name ~= '' then redis.call('HSET', names, name, '1') end
    local class = tonumber(ARGV[i])
    redis.call('XADD', KEYS[2 + class], 'MAXLEN', '~', ARGV[1 + class], string.format('%.0f-0', number), 'e', ARGV[i + 2])
  end
end
-- What earlier versions wrote goes when as many events have come after it as are kept in all.
local newest = number and redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
if newest and tonumber(string.match(newest[1], '^%d+')) <= number - tonumber(ARGV[1]) then
  redis.call('UNLINK', KEYS[2])
end
return (#ARGV - classes - 1) / 3
