-- KEYS: user, sessions, outbox. ARGV: session id, startedAt, rotatedAt, generation, replays, client id, client epoch, skipped, address,
-- per user, absolute lifetime (ms), format, the caller's time or nothing for a session that has a history, and the user's epoch of one
-- that began in another store: what its user's
-- record has ended there stays ended.
local user = redis.call('GET', KEYS[1])
if not user then return {'not found'} end
if ARGV[14] and (is_disabled(user) or tonumber(ARGV[14]) ~= epoch(user) or tonumber(ARGV[2]) < not_before(user)) then return {'ended'} end
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

local started, format = tonumber(ARGV[2]), tonumber(ARGV[12])
if format >= 2 and ARGV[13] ~= '' then started = math.min(started, session_time(ARGV[13])) end -- no replica's clock is ahead
started = math.max(started, not_before(user))
local rotated = math.max(tonumber(ARGV[3]), started)
local session = {started = started, rotated = rotated, generation = tonumber(ARGV[4]), replays = tonumber(ARGV[5]), client = ARGV[6],
  user_epoch = epoch(user), client_epoch = tonumber(ARGV[7]), skipped = tonumber(ARGV[8]), address = ARGV[9]}
local raw = write_session(KEYS[2], ARGV[1], session, format)
-- The sessions go by themselves when none can be alive, under the lifetimes of now or of before, which may have been longer
-- or may be again. What is over earlier is swept.
local lifetime = tonumber(ARGV[11])
if lifetime > 0 then
  redis.call('PEXPIRE', KEYS[2], math.max(lifetime, 400 * 86400000, redis.call('PTTL', KEYS[2])))
else
  redis.call('PERSIST', KEYS[2])
end
keep_events()
return {'ok', raw, user}
