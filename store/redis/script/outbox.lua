-- A script whose change has audit events begins with this. Its last key is the outbox of its slot: a hash of entries by
-- name. Its last argument but the deadline has a line for each event, with its name, a space and the event as JSON, or is
-- empty. An entry:
--   e | time 8 | the event
local kept = table.remove(ARGV)
local function keep_events()
  for name, event in string.gmatch(kept, '(%S+) ([^\n]*)') do
    redis.call('HSET', KEYS[#KEYS], name, 'e' .. struct.pack('>I8', server_time() or 0) .. event)
  end
end

