-- A script whose change has an audit event begins with this. Its last key is the outbox of its slot: a hash of entries by
-- name. Its last argument but the deadline is the name of the entry, a space and the event as JSON, or nothing. An entry:
--   e | time 8 | the event
local kept = table.remove(ARGV)
local function keep_event()
  local name, event = string.match(kept, '^(%S+) (.*)$')
  if name then redis.call('HSET', KEYS[#KEYS], name, 'e' .. struct.pack('>I8', server_time() or 0) .. event) end
end

