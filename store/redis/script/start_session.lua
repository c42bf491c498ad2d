-- KEYS: user, sessions. ARGV: session id, startedAt, rotatedAt, generation, replays, client id, client epoch, skipped, address,
-- per user, absolute lifetime (ms), format, and the user's epoch of a session that began in another store: what its user's
-- record has ended there stays ended.
local user = redis.call('GET', KEYS[1])
if not user then return {'not found'} end
if ARGV[13] and (is_disabled(user) or tonumber(ARGV[13]) ~= epoch(user) or tonumber(ARGV[2]) < not_before(user)) then return {'ended'} end
if is_disabled(user) then return {'disabled'} end
if redis.call('HEXISTS', KEYS[2], ARGV[1]) == 1 then return {'exists'} end

-- Compares bytes, whatever the server's locale.
local function id_before(a, b)
  for i = 1, math.min(#a, #b) do
    local x, y = string.byte(a, i), string.byte(b, i)
    if x ~= y then return x < y end
  end
  return #a < #b
end

local function end_oldest(n)
  local all, list = redis.call('HGETALL', KEYS[2]), {}
  for i = 1, #all, 2 do list[#list + 1] = {id = all[i], started = read_session(all[i + 1]).started} end
  table.sort(list, function(a, b)
    if a.started ~= b.started then return a.started < b.started end
    return id_before(a.id, b.id)
  end)
  for i = 1, n do redis.call('HDEL', KEYS[2], list[i].id) end
end

local limit, have = tonumber(ARGV[10]), redis.call('HLEN', KEYS[2])
if limit > 0 and have >= limit then end_oldest(have - limit + 1) end

local started = math.max(tonumber(ARGV[2]), not_before(user))
local rotated = math.max(tonumber(ARGV[3]), started)
local session = {started = started, rotated = rotated, generation = tonumber(ARGV[4]), replays = tonumber(ARGV[5]), client = ARGV[6],
  user_epoch = epoch(user), client_epoch = tonumber(ARGV[7]), skipped = tonumber(ARGV[8]), address = ARGV[9]}
local raw = write_session(KEYS[2], ARGV[1], session, tonumber(ARGV[12]))
-- The youngest session outlives all others, so when it must be over they all are.
if tonumber(ARGV[11]) > 0 then redis.call('PEXPIRE', KEYS[2], ARGV[11]) else redis.call('PERSIST', KEYS[2]) end
return {'ok', raw, user}
