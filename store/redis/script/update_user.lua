-- KEYS: user, sessions, outbox. ARGV: the record as it was read, the record as it is to be, 1 where that ends every session, and those of
-- outbox.lua and informs. Answers how many sessions have ended, and their logouts.
informs(table.remove(ARGV), kept)
local now = redis.call('GET', KEYS[1])
if not now then return {'not found'} end
if now ~= ARGV[1] then return {'raced'} end
redis.call('SET', KEYS[1], ARGV[2])
local ended = 0
if ARGV[3] == '1' then
  ended = end_all(KEYS[2])
elseif not_before(ARGV[2]) > 0 then
  ended = end_before(KEYS[2], not_before(ARGV[2]))
end
keep_events()
return with_logouts({'ok', ended})
