-- KEYS: the buckets of one place. ARGV: now, then for each bucket: limit, window, backoff (ms), same, sameFor (ms).
-- A count: n 4 | first 8 | last 8 | expires 8 | same. Answers how long to wait (ms), or 0 with everything counted.
local now = tonumber(ARGV[1])

local function wait(count, limit, window, backoff, now)
  if count.n < limit then return 0 end
  if backoff == 0 then return count.first + window - now end
  if count.n == 0 then return 0 end
  local pause = backoff
  if count.n - limit < 32 then pause = math.min(1000 * 2 ^ (count.n - limit), backoff) end
  return count.last + pause - now
end

local longest, kept = 0, {}
for i, key in ipairs(KEYS) do
  local base = 5 * i - 3
  local limit, window, backoff = tonumber(ARGV[base]), tonumber(ARGV[base + 1]), tonumber(ARGV[base + 2])
  local same, same_for = ARGV[base + 3], tonumber(ARGV[base + 4])
  local count = {n = 0, first = now, last = 0, expires = 0, same = ''}
  local raw = redis.call('GET', key)
  if raw then
    count.n, count.first, count.last, count.expires = struct.unpack('>I4I8I8I8', raw)
    count.same = string.sub(raw, 29)
  end
  local at = math.max(now, count.last) -- the clock may have run backwards
  if at >= count.expires then count = {n = 0, first = at, last = 0, expires = 0, same = ''} end
  if count.n > 0 and same ~= '' and same == count.same and at - count.last <= same_for then
    kept[i] = false
  else
    local pause = wait(count, limit, window, backoff, at)
    longest = math.max(longest, pause)
    count.n, count.last, count.same = math.min(count.n + 1, 4294967295), at, same
    count.expires = (backoff == 0 and count.first or count.last) + window
    kept[i] = count
  end
end
if longest > 0 then return longest end
for i, key in ipairs(KEYS) do
  local count = kept[i]
  if count then
    local raw = struct.pack('>I4I8I8I8', count.n, count.first, count.last, count.expires) .. count.same
    redis.call('SET', key, raw, 'PX', math.max(count.expires - now, 1))
  end
end
return 0
