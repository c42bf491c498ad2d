-- The first fields of the records (package codec), of format 1 and of format 2. A user has its revision in front:
--   1 revision 4 | 5 version 1 | 6 flags 1 | 7 id 16 | 23 notBefore 8 | ...
--   1 revision 4 | 5 version 1 | 6 flags 1 | 7 id 16 | 23 epoch 4 | 27 notBefore 8 | ...
-- A session:
--   1 version 1 | 2 startedAt 8 | 10 rotatedAt 8 | 18 generation 4 | 22 replays 2 | 24 client id
--   1 version 1 | 2 startedAt 6 | 8 rotatedAt 6 | 14 generation 4 | 18 replays 2 | 20 user epoch 3 | 23 client epoch 3
--   | 26 skipped 2 | 28 length of the address, and of the device behind it, 1 | 29 address, device | client id
-- A session that began from another, of either format; epochs are 0 in format 1:
--   1 version 1 (3) | 2 id of that session 16 | 18 startedAt 6 | ... as in format 2
local function is_disabled(user) return string.byte(user, 6) % 2 == 1 end
local function epoch(user) return string.byte(user, 5) == 1 and 0 or (struct.unpack('>I4', user, 23)) end
local function not_before(user) return (struct.unpack('>I8', user, string.byte(user, 5) == 1 and 23 or 27)) end

-- What decides about a session is this server's time, which is one for all replicas. The caller's counts where this server
-- does not tell its own, and where it begins with "=", in tests.
local function session_time(callers)
  if string.sub(callers, 1, 1) == '=' then return tonumber(string.sub(callers, 2)) end
  return server_time() or tonumber(callers)
end

local function read_session(raw)
  local s, version = {parent = ''}, string.byte(raw, 1)
  if version == 3 then
    s.parent, raw, version = string.sub(raw, 2, 17), string.sub(raw, 17), 2
  end
  if version == 1 then
    s.started, s.rotated, s.generation, s.replays = struct.unpack('>I8I8I4I2', raw, 2)
    s.user_epoch, s.client_epoch, s.skipped, s.address, s.client = 0, 0, 0, '', string.sub(raw, 24)
  elseif version == 2 then
    local length
    s.started, s.rotated, s.generation, s.replays, s.user_epoch, s.client_epoch, s.skipped, length = struct.unpack('>I6I6I4I2I3I3I2B', raw, 2)
    s.address, s.client = string.sub(raw, 29, 28 + length), string.sub(raw, 29 + length)
  else
    error('session record of version ' .. tostring(version))
  end
  return s
end

local function write_session(key, id, s, format)
  local raw
  if s.parent ~= '' then
    local address, n = s.address, 44 + #s.client
    if n <= 64 and n + #address > 64 then address = '' end -- else the hash is no listpack any more
    if format < 2 then s.user_epoch, s.client_epoch, s.skipped = 0, 0, 0 end
    raw = struct.pack('>B', 3) .. s.parent .. struct.pack('>I6I6I4I2I3I3I2B', s.started, s.rotated, s.generation, s.replays, s.user_epoch,
      s.client_epoch, s.skipped, #address) .. address .. s.client
  elseif format < 2 then
    raw = struct.pack('>BI8I8I4I2', 1, s.started, s.rotated, s.generation, s.replays) .. s.client
  else
    raw = struct.pack('>BI6I6I4I2I3I3I2B', 2, s.started, s.rotated, s.generation, s.replays, s.user_epoch, s.client_epoch, s.skipped, #s.address)
      .. s.address .. s.client
  end
  redis.call('HSET', key, id, raw)
  return raw
end

-- A script that ends sessions answers their logouts (store.Logout), each as the session id and the client id in one string, and keeps them in
-- the outbox of its slot until they are in the queue, in entries that are named l and the session id:
--   l | time 8 | client id
local informed, logouts, logout_outbox = '', {}, nil

-- clients are those that are informed when a session ends, each with a line break before and behind it; * is all of them. kept is that of
-- outbox.lua: where it is empty there is no outbox.
local function informs(clients, kept)
  informed = clients
  if kept ~= '' then logout_outbox = KEYS[#KEYS] end
end

local function with_logouts(reply)
  for _, l in ipairs(logouts) do reply[#reply + 1] = l end
  return reply
end

-- Deletes a session, whose logout is kept where its client is informed.
local function delete_session(key, id, raw)
  redis.call('HDEL', key, id)
  if informed == '' then return end
  local readable, s = pcall(read_session, raw)
  if not readable then return end
  local client = s.client
  if informed ~= '*' and not string.find(informed, '\n' .. client .. '\n', 1, true) then return end
  logouts[#logouts + 1] = id .. client
  if logout_outbox then redis.call('HSET', logout_outbox, 'l' .. id, 'l' .. struct.pack('>I8', server_time() or 0) .. client) end
end

-- Ends a session and those that began from it, and returns how many there were.
local function end_session(key, id)
  local all, ended = redis.call('HGETALL', key), 0
  for i = 1, #all, 2 do
    if all[i] == id or string.byte(all[i + 1], 1) == 3 and string.sub(all[i + 1], 2, 17) == id then
      delete_session(key, all[i], all[i + 1])
      ended = ended + 1
    end
  end
  return ended
end

-- Ends all sessions and returns how many there were.
local function end_all(key)
  local ended = redis.call('HLEN', key)
  if informed ~= '' then
    local all = redis.call('HGETALL', key)
    for i = 1, #all, 2 do delete_session(key, all[i], all[i + 1]) end
  end
  redis.call('DEL', key)
  return ended
end

-- Ends the sessions that began before a time and returns how many there were.
local function end_before(key, time)
  local all, ended = redis.call('HGETALL', key), 0
  for i = 1, #all, 2 do
    if read_session(all[i + 1]).started < time then
      delete_session(key, all[i], all[i + 1])
      ended = ended + 1
    end
  end
  return ended
end
