-- KEYS: logouts, due. ARGV: session id, attempts as the caller has them, the caller's time, after which time it is due (ms).
local raw = redis.call('HGET', KEYS[1], ARGV[1])
if not raw or struct.unpack('>I4', raw, 9) ~= tonumber(ARGV[2]) then return 0 end
local due = struct.pack('>I8', session_time(ARGV[3]) + tonumber(ARGV[4]))
redis.call('ZREM', KEYS[2], string.sub(raw, 1, 8) .. ARGV[1])
redis.call('ZADD', KEYS[2], 0, due .. ARGV[1])
redis.call('HSET', KEYS[1], ARGV[1], due .. string.sub(raw, 9))
return 1
