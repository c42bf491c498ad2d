-- KEYS: user, sessions, mark of the code, outbox. ARGV: session id, startedAt, the caller's time, client id, client epoch, address,
-- per user, absolute lifetime (ms), format, session that it begins from or nothing, the user's epoch, how long the mark stays (ms), and
-- the events of the end of a session, as outbox.lua has the others; neither are kept where those are left out. Behind them is that of
-- informs; the logouts are the last of each answer.
informs(table.remove(ARGV), kept)
local reuse = kept ~= '' and ARGV[13] or ''
local user = redis.call('GET', KEYS[1])
if not user then return {'not found'} end
local known = redis.call('HGET', KEYS[2], ARGV[1])
if known then
  end_session(KEYS[2], ARGV[1])
  kept = reuse
  keep_events()
  return with_logouts({'exists', known})
end
if redis.call('EXISTS', KEYS[3]) == 1 then return {'exists'} end
if is_disabled(user) then return {'disabled'} end
if tonumber(ARGV[11]) ~= epoch(user) or tonumber(ARGV[2]) < not_before(user) then return {'not found'} end

local now, format, parent = session_time(ARGV[3]), tonumber(ARGV[9]), ARGV[10]
if parent ~= '' then
  local raw = redis.call('HGET', KEYS[2], parent)
  if not raw then return {'not found'} end
  local s = read_session(raw)
  s.rotated = math.max(s.rotated, now)
  write_session(KEYS[2], parent, s, format)
end
make_room(KEYS[2], tonumber(ARGV[7]), parent)
local started = math.min(tonumber(ARGV[2]), now) -- no replica's clock is ahead
local session = {started = started, rotated = now, generation = 0, replays = 0, client = ARGV[4], user_epoch = epoch(user),
  client_epoch = tonumber(ARGV[5]), skipped = 0, address = ARGV[6], parent = parent}
local raw = write_session(KEYS[2], ARGV[1], session, format)
keep_sessions(KEYS[2], tonumber(ARGV[8]))
redis.call('SET', KEYS[3], '', 'PX', ARGV[12])
keep_events()
return with_logouts({'ok', raw, user})
