-- store.Decide, where the session is. KEYS: user, sessions, and the outbox where an event is to be kept.
-- ARGV: session id, client id, generation, the caller's time, idle, absolute, grace, max replays, client's not-before, format, late,
-- client's epoch, 1 where the caller has just read the client, address, the last loss, how long it explains a newer generation,
-- and, on the second try, the clients that are informed (see informs), and address and id of the request with a space between them, or
-- nothing where no event is to be kept.
-- On the first try an outcome that has an event changes nothing, and the answer is {'again'}: such outcomes are rare, so the
-- others need not carry what the event takes.
local raw = redis.call('HGET', KEYS[2], ARGV[1])
if not raw then return {'gone'} end
local s = read_session(raw)
if s.client ~= ARGV[2] then return {'gone'} end

-- An entry of the outbox: r | time 8 | outcome, client id, session id, address and id of the request, each with its length 2 before it.
local function keep_event(outcome)
  local request = string.match(ARGV[18], '^%S* (.*)$')
  if not request then return end
  local entry = 'r' .. struct.pack('>I8', session_time(ARGV[4]))
  for _, part in ipairs({outcome, ARGV[2], ARGV[1], ARGV[18]}) do entry = entry .. struct.pack('>I2', #part) .. part end
  redis.call('HSET', KEYS[3], request, entry)
end

local function over(outcome)
  if outcome == 'gone' then -- its lifetime is over: what began from it has its own
    redis.call('HDEL', KEYS[2], ARGV[1])
    return {outcome, raw}
  end
  if not ARGV[17] then return {'again'} end
  keep_event(outcome)
  informs(ARGV[17], KEYS[3] or '')
  end_session(KEYS[2], ARGV[1])
  return with_logouts({outcome, raw})
end

local presented, client_epoch, format = tonumber(ARGV[3]), tonumber(ARGV[12]), tonumber(ARGV[10])
local now = math.max(session_time(ARGV[4]), s.rotated) -- a session's time never runs backwards
local user = redis.call('GET', KEYS[1])
if not user or is_disabled(user) or s.user_epoch ~= epoch(user) then return over('revoked') end
if s.client_epoch > client_epoch and ARGV[13] ~= '1' then return {'stale'} end
if s.client_epoch ~= client_epoch or s.started < not_before(user) or s.started < tonumber(ARGV[9]) then return over('revoked') end
local age = now - s.rotated
if age >= tonumber(ARGV[5]) or now - s.started >= tonumber(ARGV[6]) then return over('gone') end

local outcome, skipped = 'rotated', 0
if presented < s.generation then
  if presented ~= s.generation - 1 - s.skipped then return over('reuse') end
  local grace, late = tonumber(ARGV[7]), tonumber(ARGV[11])
  if grace > 0 and age <= grace then
    if s.replays >= tonumber(ARGV[8]) then return over('reuse') end
    s.replays = s.replays + 1
    return {'replayed', write_session(KEYS[2], ARGV[1], s, format), user}
  end
  if late <= 0 or age > late or s.skipped >= 65535 or s.generation >= 4294967295 then return over('reuse') end
  outcome, skipped, presented = 'late', s.skipped + 1, s.generation
elseif presented == 4294967295 then
  return over('gone') -- no successor can be counted
elseif presented > s.generation then
  local loss = tonumber(ARGV[15])
  if loss == 0 or s.rotated > loss or now - loss > tonumber(ARGV[16]) then return {'ahead'} end
  outcome = 'healed'
end
if outcome ~= 'rotated' then
  if not ARGV[17] then return {'again'} end
  keep_event(outcome)
end
s.generation, s.rotated, s.replays, s.skipped, s.address = presented + 1, now, 0, skipped, ARGV[14]
return {outcome, write_session(KEYS[2], ARGV[1], s, format), user}
