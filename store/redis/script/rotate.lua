-- store.Decide, where the session is. KEYS: user, sessions.
-- ARGV: session id, client id, generation, now, idle, absolute, grace, max replays, client's not-before.
local raw = redis.call('HGET', KEYS[2], ARGV[1])
if not raw then return {'gone'} end
local started, rotated, generation, replays, client = read_session(raw)
if client ~= ARGV[2] then return {'gone'} end

local function over(outcome)
  redis.call('HDEL', KEYS[2], ARGV[1])
  return {outcome}
end

local presented = tonumber(ARGV[3])
local now = math.max(tonumber(ARGV[4]), rotated) -- a replica's clock may be behind the one that rotated last
local user = redis.call('GET', KEYS[1])
if not user or is_disabled(user) or started < not_before(user) or started < tonumber(ARGV[9]) then return over('revoked') end
if now - rotated >= tonumber(ARGV[5]) or now - started >= tonumber(ARGV[6]) then return over('gone') end

if presented < generation then
  local grace = tonumber(ARGV[7])
  if presented ~= generation - 1 or grace <= 0 or now - rotated > grace or replays >= tonumber(ARGV[8]) then return over('reuse') end
  return {'replayed', write_session(KEYS[2], ARGV[1], started, rotated, generation, replays + 1, client), user}
end
if presented == 4294967295 then return over('gone') end -- no successor can be counted
local outcome = presented == generation and 'rotated' or 'healed'
return {outcome, write_session(KEYS[2], ARGV[1], started, now, presented + 1, 0, client), user}
