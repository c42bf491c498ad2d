-- KEYS: outbox. Keeps an event by itself.
keep_event()
return 1
