-- KEYS: user, sessions, outbox. ARGV: session id, startedAt, rotatedAt, generation, replays, client id, client epoch, skipped, address,
-- per user, absolute lifetime (ms), format, the caller's time or nothing for a session that has a history, the session that it began
-- from or nothing, the user's epoch of one that began in another store (what its user's record has ended there stays ended), and those of
-- outbox.lua and informs. Answers the session, the user and the logouts of the sessions that it has made room for.
informs(table.remove(ARGV), kept)
local user = redis.call('GET', KEYS[1])
if not user then return {'not found'} end
if ARGV[15] and (is_disabled(user) or tonumber(ARGV[15]) ~= epoch(user) or tonumber(ARGV[2]) < not_before(user)) then return {'ended'} end
if is_disabled(user) then return {'disabled'} end
if redis.call('HEXISTS', KEYS[2], ARGV[1]) == 1 then return {'exists'} end
make_room(KEYS[2], tonumber(ARGV[10]), '')

local started, format = tonumber(ARGV[2]), tonumber(ARGV[12])
if format >= 2 and ARGV[13] ~= '' then started = math.min(started, session_time(ARGV[13])) end -- no replica's clock is ahead
started = math.max(started, not_before(user))
local rotated = math.max(tonumber(ARGV[3]), started)
local session = {started = started, rotated = rotated, generation = tonumber(ARGV[4]), replays = tonumber(ARGV[5]), client = ARGV[6],
  user_epoch = epoch(user), client_epoch = tonumber(ARGV[7]), skipped = tonumber(ARGV[8]), address = ARGV[9], parent = ARGV[14]}
local raw = write_session(KEYS[2], ARGV[1], session, format)
keep_sessions(KEYS[2], tonumber(ARGV[11]))
keep_events()
return with_logouts({'ok', raw, user})
