-- KEYS: logouts, ended, dropped. Answers how many there are, how many were dropped, and the first of those by when they ended.
return {redis.call('HLEN', KEYS[1]), redis.call('GET', KEYS[3]) or '0', redis.call('ZRANGEBYLEX', KEYS[2], '-', '+', 'LIMIT', 0, 1)[1] or ''}
