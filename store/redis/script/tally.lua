-- The rules of store.Tally, which are described there. A record:
--   failures 4 | first 8 | last 8 | ends 8 | format 1 (2) | length of same 1 | same | places of id 8 | until 8
-- Times are in milliseconds.
local reserved_for = 90000

local function read_tally(key)
  local t = {failures = 0, first = 0, last = 0, ends = 0, same = '', places = {}}
  local raw = redis.call('GET', key)
  if not raw then return t end
  t.failures, t.first, t.last, t.ends = struct.unpack('>I4I8I8I8', raw)
  if string.byte(raw, 29) ~= 2 then return t end
  local size = string.byte(raw, 30)
  t.same = string.sub(raw, 31, 30 + size)
  for at = 31 + size, #raw, 16 do
    t.places[#t.places + 1] = {id = string.sub(raw, at, at + 7), till = (struct.unpack('>I8', raw, at + 8))}
  end
  return t
end

local function write_tally(key, t, window, now)
  if t.failures == 0 and #t.places == 0 then
    redis.call('DEL', key)
    return
  end
  local parts, forgotten = {struct.pack('>I4I8I8I8BB', t.failures, t.first, t.last, t.ends, 2, #t.same), t.same}, t.ends
  for _, p in ipairs(t.places) do
    parts[#parts + 1] = p.id .. struct.pack('>I8', p.till)
    forgotten = math.max(forgotten, p.till + window)
  end
  redis.call('SET', key, table.concat(parts), 'PX', math.max(forgotten - now, 1))
end

local function clear(t) t.failures, t.first, t.last, t.ends, t.same = 0, 0, 0, 0, '' end

local function forget(t, at)
  if t.failures > 0 and at >= t.ends then clear(t) end
end

-- Counts one failure; true where it is the one that reaches what is free.
local function fail(t, at, l, same)
  if t.failures > 0 then at = math.max(at, t.last) end
  forget(t, at)
  if t.failures == 0 then t.first = at end
  t.failures = math.min(t.failures + 1, 4294967295)
  t.last, t.same = at, same
  t.ends = (l.backoff == 0 and t.first or t.last) + l.window
  return t.failures == l.free
end

-- Returns the time to go on with, and whether attempts that were never decided have reached what is free.
local function settle(t, now, l)
  local at, reached, left = now, false, {}
  if t.failures > 0 then at = math.max(at, t.last) end
  table.sort(t.places, function(a, b) return a.till < b.till end)
  for _, p in ipairs(t.places) do
    if at >= p.till then
      reached = fail(t, p.till, l, '') or reached
    else
      left[#left + 1] = p
    end
  end
  t.places = left
  forget(t, at)
  return at, reached
end

local function repeats(t, at, l)
  return t.failures > 0 and l.same ~= '' and l.same == t.same and at - t.last <= l.same_for
end

local function wait(t, at, l)
  if t.failures < l.free then return 0 end
  if l.backoff == 0 then
    if t.failures == 0 then return l.window end
    return t.first + l.window - at
  end
  if t.failures == 0 then return 0 end
  local pause = l.backoff
  if t.failures - l.free <= 32 then pause = math.min(1000 * 2 ^ (t.failures - l.free), l.backoff) end
  return math.max(0, t.last + pause - at)
end

local function drop(t, id)
  local left, had = {}, false
  for _, p in ipairs(t.places) do
    if p.id == id then had = true else left[#left + 1] = p end
  end
  t.places = left
  return had
end

-- Six arguments for each limit: free, window, backoff, same, same_for, forgive.
local function read_limits(from, n)
  local limits = {}
  for i = 1, n do
    local at = from + 6 * (i - 1)
    limits[i] = {free = tonumber(ARGV[at]), window = tonumber(ARGV[at + 1]), backoff = tonumber(ARGV[at + 2]),
      same = ARGV[at + 3], same_for = tonumber(ARGV[at + 4]), forgive = ARGV[at + 5] == '1'}
  end
  return limits
end

-- The networks of a place: from 6 | day 2, the one that was noted last in front.
local kept_networks, kept_days, noted_again = 8, 180, 14

local function today(now) return math.floor(now / 86400000) end

local function read_networks(raw)
  local list = {}
  for at = 1, #raw, 8 do
    list[#list + 1] = {from = string.sub(raw, at, at + 5), day = (struct.unpack('>I2', raw, at + 6))}
  end
  return list
end
