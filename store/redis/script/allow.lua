-- KEYS: the limits of one place and, last, its networks. ARGV: now, 1 to count a failure at once, attempt id, from, how many
-- limits, then the limits (see read_limits).
-- Answers {ok, places, reached…}, {wait, ms, reached…} or {busy, 0, reached…}, where reached are numbers of limits.
local now, at_once, id, from, n = tonumber(ARGV[1]), ARGV[2] == '1', ARGV[3], ARGV[4], tonumber(ARGV[5])
if from ~= '' then
  for _, k in ipairs(read_networks(redis.call('GET', KEYS[n + 1]) or '')) do
    if k.from == from and today(now) - k.day < kept_days then return {'ok', 0} end
  end
end
local limits, tallies, needs, reached = read_limits(6, n), {}, {}, {}
local longest, busy = 0, false
for i, l in ipairs(limits) do
  local t = read_tally(KEYS[i])
  local failures, places = t.failures, #t.places
  local at, hit = settle(t, now, l)
  if hit then reached[#reached + 1] = i end
  if t.failures ~= failures or #t.places ~= places then write_tally(KEYS[i], t, l.window, now) end
  tallies[i] = t
  if not repeats(t, at, l) then
    needs[#needs + 1] = i
    local pause, under_way = wait(t, at, l), #t.places
    longest = math.max(longest, pause)
    if pause > 0 then
    elseif t.failures < l.free then
      busy = busy or t.failures + under_way >= l.free
    else
      busy = busy or under_way > 0
    end
  end
end
local answer = {'ok', #needs}
if longest > 0 then answer = {'wait', longest}
elseif busy and not at_once then answer = {'busy', 0}
else
  for _, i in ipairs(needs) do
    local t, l = tallies[i], limits[i]
    if at_once then fail(t, now, l, l.same) else t.places[#t.places + 1] = {id = id, till = now + reserved_for} end
    write_tally(KEYS[i], t, l.window, now)
  end
end
for _, i in ipairs(reached) do answer[#answer + 1] = i end
return answer
