-- KEYS: install, keyring, outbox. ARGV: old version, next version, document, the install record that the caller has read.
-- An install record that was lost with the keyring is written back with it.
local install = redis.call('GET', KEYS[1])
if install and ARGV[4] ~= '' and install ~= ARGV[4] then return 'foreign' end
if (redis.call('HGET', KEYS[2], 'version') or '0') ~= ARGV[1] then return 'raced' end
if not install and ARGV[4] ~= '' then redis.call('SET', KEYS[1], ARGV[4]) end
redis.call('HSET', KEYS[2], 'version', ARGV[2], 'document', ARGV[3])
keep_events()
return 'ok'
