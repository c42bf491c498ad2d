-- KEYS: buckets of one place, those to clear first. ARGV: how many to clear; the others get one attempt back.
for i, key in ipairs(KEYS) do
  if i <= tonumber(ARGV[1]) then
    redis.call('DEL', key)
  else
    local raw = redis.call('GET', key)
    if raw then
      local n = struct.unpack('>I4', raw)
      if n <= 1 then redis.call('DEL', key)
      else redis.call('SET', key, struct.pack('>I4', n - 1) .. string.sub(raw, 5), 'KEEPTTL') end
    end
  end
end
return 1
