-- KEYS: a record. ARGV: the record as it was read, as it is to be. Answers whether it was still that.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
return 1
