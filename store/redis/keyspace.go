package redis

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strings"

	"signet/store"
)

// keyspace makes the names of keys; see the package's documentation for all of them. What stands in
// braces decides the slot, and is never empty.
type keyspace string

func (k keyspace) name(kind, tag, rest string) string {
	return string(k) + ":" + kind + ":{" + tag + "}" + rest
}

// Everything about one user but the name is in one slot.

func userTag(id store.UserID) string { return base64.RawURLEncoding.EncodeToString(id[:]) }

func (k keyspace) user(id store.UserID) string     { return k.name("u", userTag(id), "") }
func (k keyspace) sessions(id store.UserID) string { return k.name("s", userTag(id), "") }

// userOfTag reads what userTag wrote.
func userOfTag(tag string) (store.UserID, error) {
	id, err := store.ParseSessionID(tag) // the same bytes in the same letters
	return store.UserID(id), err
}

func (k keyspace) userAndSessions(id store.UserID) []string {
	tag := userTag(id)
	return []string{k.name("u", tag, ""), k.name("s", tag, "")}
}

// Names are spread over parts, each with an ordered list of its own: a list of all would be one huge
// key in one slot.

const nameParts = 256

func partOf(username string) int { return int(sha256.Sum256([]byte(username))[0]) }

func partTag(part int) string { return hex.EncodeToString([]byte{byte(part)}) }

func (k keyspace) names(part int) string { return k.name("names", partTag(part), "") }

func (k keyspace) nameAndNames(username string) []string {
	part := partOf(username)
	return []string{k.name("n", partTag(part), ":"+username), k.names(part)}
}

func (k keyspace) username(username string) string { return k.nameAndNames(username)[0] }

func (k keyspace) revoked(jti string) string { return k.name("r", "j"+jti, "") }

// jti is what revoked made a key of.
func (k keyspace) jti(key string) string {
	return strings.TrimSuffix(strings.TrimPrefix(key, string(k)+":r:{j"), "}")
}

func (k keyspace) assertion(id store.AssertionID) string { return k.name("a", "a"+id.String(), "") }

// assertionID reads what assertion made a key of.
func (k keyspace) assertionID(key string) (store.AssertionID, error) {
	return store.ParseAssertionID(strings.TrimSuffix(strings.TrimPrefix(key, string(k)+":a:{a"), "}"))
}

func (k keyspace) bucket(place, key string) string {
	return k.name("t", "t"+strings.ReplaceAll(place, "}", "%7D"), ":"+key)
}

// networks has no colon behind its braces, which every bucket has.
func (k keyspace) networks(place string) string {
	return k.name("t", "t"+strings.ReplaceAll(place, "}", "%7D"), "")
}

// placeOf reads what bucket made a key of; bucket is empty for a key of networks.
func (k keyspace) placeOf(key string) (place, bucket string) {
	place, bucket, _ = strings.Cut(strings.TrimPrefix(key, string(k)+":t:{t"), "}:")
	return place, bucket
}

func (k keyspace) clients() []string {
	return []string{k.name("clients", "c", ""), k.name("clients", "c", ":version")}
}

// clientsAndEpoch also has the least epoch of new clients.
func (k keyspace) clientsAndEpoch() []string {
	return append(k.clients(), k.name("clients", "c", ":epoch"))
}

func (k keyspace) install() string   { return k.name("install", "i", "") }
func (k keyspace) keyring() string   { return k.name("install", "i", ":keyring") }
func (k keyspace) beats() string     { return k.name("install", "i", ":beats") }
func (k keyspace) probe() string     { return k.name("install", "i", ":probe") }
func (k keyspace) sweeping() string  { return k.name("install", "i", ":sweeping") }
func (k keyspace) masters() string   { return k.name("install", "i", ":masters") }
func (k keyspace) loss() string      { return k.name("install", "i", ":loss") }
func (k keyspace) importing() string { return k.name("install", "i", ":importing") }

// outbox has the events of changes in a slot until they are on the trail.
func (k keyspace) outbox(tag string) string { return k.name("o", tag, "") }

// trail is audit and the names of the entries of outboxes whose events have been appended last.
func (k keyspace) trail() []string {
	return append(k.audit(), k.name("audit", "a", ":appended:0"), k.name("audit", "a", ":appended:1"))
}

// audit names the last number, the stream of earlier versions, and those of the classes.
func (k keyspace) audit() []string {
	names := []string{k.name("audit", "a", ":last"), k.name("audit", "a", "")}
	for _, class := range store.EventClasses {
		names = append(names, k.name("audit", "a", ":"+string(class)))
	}
	return names
}

// barrier is a key in the slot of another that may be written at any time and means nothing.
func (k keyspace) barrier(key string) string { return k.name("b", tagOf(key), "") }

// tagOf is what stands in the braces of a key.
func tagOf(key string) string {
	_, tag, _ := strings.Cut(key, "{")
	tag, _, _ = strings.Cut(tag, "}")
	return tag
}

// meansNothing reports whether a key says nothing about an install: it only shows that somebody looked.
func (k keyspace) meansNothing(key string) bool {
	return key == k.probe() || strings.HasPrefix(key, string(k)+":b:{")
}

func (k keyspace) channel() string { return string(k) + ":hints" }

// pattern matches every key of a kind, or of all kinds where it is empty.
func (k keyspace) pattern(kind string) string {
	escaped := strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`).Replace(string(k))
	if kind == "" {
		return escaped + ":*"
	}
	return escaped + ":" + kind + ":{*"
}
