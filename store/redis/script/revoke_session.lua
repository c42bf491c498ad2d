-- KEYS: sessions, outbox. ARGV: session id, and those of outbox.lua and informs. Ends it and those that began from it. Answers
-- ok, how many there were, and their logouts.
informs(table.remove(ARGV), kept)
local ended = end_session(KEYS[1], ARGV[1])
if ended > 0 then keep_events() end
return with_logouts({'ok', ended})
