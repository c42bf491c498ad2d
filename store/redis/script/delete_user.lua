-- KEYS: user, sessions, outbox. Answers the record that was there.
local user = redis.call('GET', KEYS[1])
if user then
  redis.call('DEL', KEYS[1], KEYS[2])
  keep_events()
end
return user
