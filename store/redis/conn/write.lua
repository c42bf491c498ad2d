-- KEYS: the key. ARGV: a command that writes, and its arguments behind the key.
return redis.call(ARGV[1], KEYS[1], unpack(ARGV, 2))
