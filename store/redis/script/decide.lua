-- KEYS: the limits of one place and, last, its networks. ARGV: now, what became of the attempt, attempt id, from, how many
-- limits, then the limits (see read_limits). Answers {done, reached…}, where reached are numbers of limits.
local now, outcome, id, from, n = tonumber(ARGV[1]), ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
local answer = {'done'}
for i, l in ipairs(read_limits(6, n)) do
  if redis.call('EXISTS', KEYS[i]) == 1 then
    local t, hit = read_tally(KEYS[i]), false
    if outcome == 'failed' then
      local at
      at, hit = settle(t, now, l)
      if drop(t, id) and not repeats(t, at, l) then hit = fail(t, at, l, l.same) or hit end
    else
      drop(t, id)
      if outcome == 'cleared' or outcome == 'succeeded' and l.forgive then clear(t) end
    end
    if hit then answer[#answer + 1] = i end
    write_tally(KEYS[i], t, l.window, now)
  end
end
if outcome == 'succeeded' and from ~= '' then
  local noted, list = {from .. struct.pack('>I2', today(now))}, read_networks(redis.call('GET', KEYS[n + 1]) or '')
  for _, k in ipairs(list) do
    local age = today(now) - k.day
    if k.from == from and age < noted_again then return answer end
    if k.from ~= from and #noted < kept_networks and age < kept_days then
      noted[#noted + 1] = k.from .. struct.pack('>I2', k.day)
    end
  end
  redis.call('SET', KEYS[n + 1], table.concat(noted), 'PX', kept_days * 86400000)
end
return answer
