package layout

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strings"

	"signet/store"
)

// Key is a key of which a store has one; see the package's documentation.
type Key string

// The keys of which a store has one.
const (
	Clients        Key = "clients:{c}"
	ClientsVersion Key = "clients:{c}:version"
	ClientsEpoch   Key = "clients:{c}:epoch"
	Install        Key = "install:{i}"
	Keyring        Key = "install:{i}:keyring"
	Beats          Key = "install:{i}:beats"
	Probe          Key = "install:{i}:probe"
	Sweeping       Key = "install:{i}:sweeping"
	Masters        Key = "install:{i}:masters"
	Loss           Key = "install:{i}:loss"
	Importing      Key = "install:{i}:importing"
	Logouts        Key = "logouts:{l}"
	LogoutsDue     Key = "logouts:{l}:due"
	LogoutsEnded   Key = "logouts:{l}:ended"
	LogoutsDropped Key = "logouts:{l}:dropped"
	Hints          Key = "hints" // a channel
)

// Keyspace makes the names of keys. It is the prefix of all of them. What stands in braces decides the slot, and is never
// empty.
type Keyspace string

// Of is the name of a key of which there is one.
func (k Keyspace) Of(key Key) string { return string(k) + ":" + string(key) }

// All are the names of several such keys.
func (k Keyspace) All(keys ...Key) []string {
	names := make([]string, len(keys))
	for i, key := range keys {
		names[i] = k.Of(key)
	}
	return names
}

func (k Keyspace) name(kind, tag, rest string) string {
	return string(k) + ":" + kind + ":{" + tag + "}" + rest
}

// UserTag stands in the braces of the keys of a user: everything about one user but the name is in one slot.
func UserTag(id store.UserID) string { return base64.RawURLEncoding.EncodeToString(id[:]) }

// User has the record of a user.
func (k Keyspace) User(id store.UserID) string { return k.name("u", UserTag(id), "") }

// Sessions has the sessions of a user.
func (k Keyspace) Sessions(id store.UserID) string { return k.name("s", UserTag(id), "") }

// UserOfTag reads what UserTag wrote.
func UserOfTag(tag string) (store.UserID, error) {
	id, err := store.ParseSessionID(tag) // the same bytes in the same letters
	return store.UserID(id), err
}

// UserAndSessions are both of these keys.
func (k Keyspace) UserAndSessions(id store.UserID) []string {
	tag := UserTag(id)
	return []string{k.name("u", tag, ""), k.name("s", tag, "")}
}

// NameParts is how many parts the usernames are spread over. Each has an ordered list of its own: a list of all would be one
// huge key in one slot.
const NameParts = 256

func partOf(username string) int { return int(sha256.Sum256([]byte(username))[0]) }

func partTag(part int) string { return hex.EncodeToString([]byte{byte(part)}) }

// Names has the usernames of a part.
func (k Keyspace) Names(part int) string { return k.name("names", partTag(part), "") }

// NameAndNames are the key of a username and that of its part.
func (k Keyspace) NameAndNames(username string) []string {
	return []string{k.Username(username), k.Names(partOf(username))}
}

// Username has the record of a name.
func (k Keyspace) Username(username string) string {
	return k.name("n", partTag(partOf(username)), ":"+username)
}

// Revoked marks a revoked access token.
func (k Keyspace) Revoked(jti string) string { return k.name("r", "j"+jti, "") }

// JTI reads what Revoked wrote.
func (k Keyspace) JTI(key string) string {
	return strings.TrimSuffix(strings.TrimPrefix(key, string(k)+":r:{j"), "}")
}

// Assertion marks a client assertion that was used.
func (k Keyspace) Assertion(id store.AssertionID) string { return k.name("a", "a"+id.String(), "") }

// AssertionID reads what Assertion wrote.
func (k Keyspace) AssertionID(key string) (store.AssertionID, error) {
	return store.ParseAssertionID(strings.TrimSuffix(strings.TrimPrefix(key, string(k)+":a:{a"), "}"))
}

// Code marks an authorization code that was redeemed, in the slot of its user.
func (k Keyspace) Code(user store.UserID, session store.SessionID) string {
	return k.name("c", UserTag(user), ":"+session.String())
}

// CodeOf reads what Code wrote.
func (k Keyspace) CodeOf(key string) (c store.UsedCode, err error) {
	tag, session, _ := strings.Cut(strings.TrimPrefix(key, string(k)+":c:{"), "}:")
	if c.UserID, err = UserOfTag(tag); err != nil {
		return c, err
	}
	c.SessionID, err = store.ParseSessionID(session)
	return c, err
}

// Bucket has a throttle count.
func (k Keyspace) Bucket(place, key string) string {
	return k.name("t", "t"+strings.ReplaceAll(place, "}", "%7D"), ":"+key)
}

// Networks has the networks that logins succeeded from. It has no colon behind its braces, which every bucket has.
func (k Keyspace) Networks(place string) string {
	return k.name("t", "t"+strings.ReplaceAll(place, "}", "%7D"), "")
}

// PlaceOf reads what Bucket wrote; bucket is empty for what Networks wrote.
func (k Keyspace) PlaceOf(key string) (place, bucket string) {
	place, bucket, _ = strings.Cut(strings.TrimPrefix(key, string(k)+":t:{t"), "}:")
	return place, bucket
}

// Outbox has the events of the changes in a slot until they are on the trail.
func (k Keyspace) Outbox(tag string) string { return k.name("o", tag, "") }

// Trail are the last number, Streams and Appended.
func (k Keyspace) Trail() []string {
	return slices.Concat([]string{k.Of("audit:{a}:last")}, k.Streams(), k.Appended())
}

// Streams are that of earlier versions and those of the classes.
func (k Keyspace) Streams() []string {
	names := []string{k.Of("audit:{a}")}
	for _, class := range store.EventClasses {
		names = append(names, k.Of("audit:{a}:"+Key(class)))
	}
	return names
}

// Appended have the names of the entries of outboxes whose events were appended last.
func (k Keyspace) Appended() []string {
	return []string{k.Of("audit:{a}:appended:0"), k.Of("audit:{a}:appended:1")}
}

// Barrier is a key in the slot of another that may be written at any time and means nothing.
func (k Keyspace) Barrier(key string) string { return k.name("b", TagOf(key), "") }

// TagOf is what stands in the braces of a key.
func TagOf(key string) string {
	_, tag, _ := strings.Cut(key, "{")
	tag, _, _ = strings.Cut(tag, "}")
	return tag
}

// MeansNothing reports whether a key is no part of an install: a probe or a barrier leaves it behind.
func (k Keyspace) MeansNothing(key string) bool {
	return key == k.Of(Probe) || strings.HasPrefix(key, string(k)+":b:{")
}

// Pattern matches every key of a kind, or of all kinds where it is empty.
func (k Keyspace) Pattern(kind string) string {
	escaped := strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`).Replace(string(k))
	if kind == "" {
		return escaped + ":*"
	}
	return escaped + ":" + kind + ":{*"
}
