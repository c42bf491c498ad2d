-- KEYS: sessions, outbox. ARGV: session id. Ends it and those that began from it, and answers how many there were.
local ended = end_session(KEYS[1], ARGV[1])
if ended > 0 then keep_events() end
return ended
