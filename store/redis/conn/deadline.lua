-- Every script that changes something begins with this. Its last argument is when its caller gives up, in ms by this
-- server's clock, or 0 where the caller does not know that clock. A command that comes later changes nothing: its caller has
-- been answered long ago, and what it asks for may be wrong by now.
local function server_time()
  local t = redis.pcall('TIME')
  if t.err then return nil end
  return tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
end

local deadline = tonumber(table.remove(ARGV))
if deadline > 0 then
  local now = server_time()
  if now and now > deadline then return redis.error_reply(string.format('LATE %.0f', now)) end
end

