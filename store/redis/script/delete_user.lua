-- KEYS: user, sessions, outbox. ARGV: those of outbox.lua and informs. Answers ok, the record that
-- was there, and the logouts of its sessions, or not found.
informs(table.remove(ARGV), kept)
local user = redis.call('GET', KEYS[1])
if not user then return {'not found'} end
end_all(KEYS[2])
redis.call('DEL', KEYS[1])
keep_events()
return with_logouts({'ok', user})
