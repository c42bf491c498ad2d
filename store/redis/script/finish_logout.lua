-- KEYS: logouts, due, ended. ARGV: session id.
return remove_logout(ARGV[1]) and 1 or 0
