-- store.Decide, where the session is. KEYS: user, sessions.
-- ARGV: session id, client id, generation, now, idle, absolute, grace, max replays, client's not-before, format.
local raw = redis.call('HGET', KEYS[2], ARGV[1])
if not raw then return {'gone'} end
local s = read_session(raw)
if s.client ~= ARGV[2] then return {'gone'} end

local function over(outcome)
  redis.call('HDEL', KEYS[2], ARGV[1])
  return {outcome}
end

local presented = tonumber(ARGV[3])
local now = math.max(tonumber(ARGV[4]), s.rotated) -- a replica's clock may be behind the one that rotated last
local user = redis.call('GET', KEYS[1])
if not user or is_disabled(user) or s.user_epoch ~= epoch(user) or s.started < not_before(user) or s.started < tonumber(ARGV[9]) then return over('revoked') end
if now - s.rotated >= tonumber(ARGV[5]) or now - s.started >= tonumber(ARGV[6]) then return over('gone') end

local format = tonumber(ARGV[10])
if presented < s.generation then
  local grace = tonumber(ARGV[7])
  if presented ~= s.generation - 1 - s.skipped or grace <= 0 or now - s.rotated > grace or s.replays >= tonumber(ARGV[8]) then return over('reuse') end
  s.replays = s.replays + 1
  return {'replayed', write_session(KEYS[2], ARGV[1], s, format), user}
end
if presented == 4294967295 then return over('gone') end -- no successor can be counted
local outcome = presented == s.generation and 'rotated' or 'healed'
s.generation, s.rotated, s.replays, s.skipped = presented + 1, now, 0, 0
return {outcome, write_session(KEYS[2], ARGV[1], s, format), user}
