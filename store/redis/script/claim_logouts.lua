-- KEYS: logouts, due. ARGV: the caller's time, the lease (ms), how many at most. Answers session ids and entries in turn.
local now, claimed = session_time(ARGV[1]), {}
local until_then = struct.pack('>I8', now + tonumber(ARGV[2]))
for _, place in ipairs(redis.call('ZRANGEBYLEX', KEYS[2], '-', '(' .. struct.pack('>I8', now + 1), 'LIMIT', 0, ARGV[3])) do
  local id = string.sub(place, 9)
  local raw = redis.call('HGET', KEYS[1], id)
  redis.call('ZREM', KEYS[2], place)
  if raw then
    raw = until_then .. struct.pack('>I4', struct.unpack('>I4', raw, 9) + 1) .. string.sub(raw, 13)
    redis.call('HSET', KEYS[1], id, raw)
    redis.call('ZADD', KEYS[2], 0, until_then .. id)
    claimed[#claimed + 1], claimed[#claimed + 2] = id, raw
  end
end
return claimed
