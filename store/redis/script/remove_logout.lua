-- Takes a logout out of the first three keys of a script, and reports whether it was there.
local function remove_logout(id)
  local raw = redis.call('HGET', KEYS[1], id)
  if not raw then return false end
  redis.call('HDEL', KEYS[1], id)
  redis.call('ZREM', KEYS[2], string.sub(raw, 1, 8) .. id)
  redis.call('ZREM', KEYS[3], string.sub(raw, 13, 20) .. id)
  return true
end

