-- KEYS: probe. Writes as the other scripts do, and means nothing. Answers "OK".
return redis.call('SET', KEYS[1], '', 'PX', 60000).ok
