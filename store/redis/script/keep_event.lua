-- KEYS: outbox. Keeps an event by itself.
keep_events()
return 1
