-- KEYS: audit stream, last number. ARGV: how many to keep, then the events.
for i = 2, #ARGV do
  local number = redis.call('INCR', KEYS[2])
  redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], string.format('%.0f-0', number), 'e', ARGV[i])
end
return #ARGV - 1
