-- The heads of the packed records (package packed). A user has its revision in front:
--   1 revision 4 | 5 version 1 | 6 flags 1 | 7 id 16 | 23 notBefore 8 | ...
-- A session: 1 version 1 | 2 startedAt 8 | 10 rotatedAt 8 | 18 generation 4 | 22 replays 2 | 24 client id
local function is_disabled(user) return string.byte(user, 6) % 2 == 1 end
local function not_before(user) return (struct.unpack('>I8', user, 23)) end


local function with_not_before(user, time)
  return string.sub(user, 1, 22) .. struct.pack('>I8', time) .. string.sub(user, 31)
end

local function read_session(raw)
  local version, started, rotated, generation, replays = struct.unpack('>BI8I8I4I2', raw)
  if version ~= 1 then error('session record of version ' .. version) end
  return started, rotated, generation, replays, string.sub(raw, 24)
end

local function write_session(key, id, started, rotated, generation, replays, client)
  local raw = struct.pack('>BI8I8I4I2', 1, started, rotated, generation, replays) .. client
  redis.call('HSET', key, id, raw)
  return raw
end

-- Ends the sessions that began before a time and returns how many there were.
local function end_before(key, time)
  local all, ended = redis.call('HGETALL', key), 0
  for i = 1, #all, 2 do
    if read_session(all[i + 1]) < time then
      redis.call('HDEL', key, all[i])
      ended = ended + 1
    end
  end
  return ended
end
