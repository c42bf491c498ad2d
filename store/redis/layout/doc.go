// Package layout has the names of keys and the bytes of records in Redis.
//
// Every key begins with the prefix of the store and a colon. What stands in braces decides the slot.
//
//	u:{USER}                   string: revision 4 ‖ user (package codec)
//	s:{USER}                   hash: session id (16) → session (package codec)
//	n:{PP}:USERNAME            string: name record; see Name
//	names:{PP}                 sorted set, all scores 0: the usernames of one of 256 parts, without the aliases
//	r:{jJTI}                   string, runs out by itself: a revoked access token
//	a:{aASSERTION}             string, runs out by itself: a client assertion that was used
//	c:{USER}:SESSION           string, runs out by itself: an authorization code that was redeemed, by the session that it began
//	t:{tPLACE}:BUCKET          string, runs out by itself: a throttle count, see tally.lua
//	t:{tPLACE}                 string, runs out by itself: the networks that an account's logins succeeded from
//	b:{…}                      string, runs out in a second: a barrier; see package conn
//	clients:{c}                hash: client id → JSON
//	clients:{c}:version        string: another one whenever a client is another one
//	clients:{c}:epoch          string: the least epoch of new clients, above that of any client that was deleted
//	install:{i}                string: the install record, JSON
//	install:{i}:keyring        hash: version, document (sealed)
//	install:{i}:beats          hash: replica → JSON
//	install:{i}:probe          string: what Ping writes
//	install:{i}:sweeping       string: the replica that sweeps
//	install:{i}:masters        hash: run ids of the masters that were seen last
//	install:{i}:loss           string: when a master was seen last that may lack writes (ms)
//	install:{i}:importing      string: an import is not finished
//	audit:{a}:CLASS            stream: one event of a class an entry, JSON in field e; the id is its number
//	audit:{a}:last             string: the last number, of all classes
//	audit:{a}:appended:N       hash: names of the entries of outboxes whose events were appended last; two take turns
//	o:{TAG}                    hash, the outbox of a slot: name → event of a change in the slot, until it is in its stream,
//	                           or logout of a session in the slot, until it is in the queue
//	logouts:{l}                hash, the queue of logouts: session id (16) → logout (package codec)
//	logouts:{l}:due            sorted set, all scores 0: when a logout is due 8 ‖ session id
//	logouts:{l}:ended          sorted set, all scores 0: when the session ended 8 ‖ session id
//	logouts:{l}:dropped        string: how many logouts were dropped for newer ones
//	audit:{a}                  stream: events of all classes, from earlier versions; it goes in time
//	hints                      pub/sub channel: what replicas send each other, JSON
//
// USER and ASSERTION are ids in base64url, PP two hex digits of the username's SHA-256. Records of users and
// sessions are apart because a hash stays a listpack, at about 70 bytes a session, only while its
// values have 64 bytes at most; a client id of more than 41 bytes makes a user's hash larger.
package layout
