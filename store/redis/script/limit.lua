-- Compares bytes, whatever the server's locale.
local function id_before(a, b)
  for i = 1, math.min(#a, #b) do
    local x, y = string.byte(a, i), string.byte(b, i)
    if x ~= y then return x < y end
  end
  return #a < #b
end

-- Ends the oldest sessions but one that stays, and those that began from them, until there is room for one more under limit. Of those
-- that began with one sign-in it ends the one that was used least recently.
local function make_room(key, limit, stays)
  local n = redis.call('HLEN', key) - limit + 1
  if limit <= 0 or n <= 0 then return end
  local all, list = redis.call('HGETALL', key), {}
  for i = 1, #all, 2 do
    local s = read_session(all[i + 1])
    list[#list + 1] = {id = all[i], raw = all[i + 1], started = s.started, rotated = s.rotated, parent = s.parent}
  end
  table.sort(list, function(a, b)
    if a.started ~= b.started then return a.started < b.started end
    if a.rotated ~= b.rotated then return a.rotated < b.rotated end
    return id_before(a.id, b.id)
  end)
  local ended = {}
  for _, old in ipairs(list) do
    if n <= 0 then return end
    if old.id ~= stays and not ended[old.id] then
      for _, s in ipairs(list) do
        if (s.id == old.id or s.parent == old.id) and not ended[s.id] then
          ended[s.id], n = true, n - 1
          delete_session(key, s.id, s.raw)
        end
      end
    end
  end
end

-- The sessions go by themselves when none can be alive, under the lifetimes of now or of before, which may have been longer
-- or may be again. What is over earlier is swept.
local function keep_sessions(key, lifetime)
  if lifetime > 0 then
    redis.call('PEXPIRE', key, math.max(lifetime, 400 * 86400000, redis.call('PTTL', key)))
  else
    redis.call('PERSIST', key)
  end
end
