package codec

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"signet/store"
)

const (
	idSize       = 16
	userVersion1 = 1
	userVersion2 = 2
	userDisabled = 1 << 0
	// importedClaim, moveClaim, breachedClaim and aliasesClaim name entries among the claims that are none: User.Imported, User.Move
	// and User.Breached as JSON strings, User.Aliases as an array of them. No claim can have such a name. Earlier versions read
	// the record and keep the entries.
	importedClaim = "\x00imported"
	moveClaim     = "\x00move"
	breachedClaim = "\x00breached"
	breachedText  = "yes"
	aliasesClaim  = "\x00aliases"
)

// EncodeUser writes a user record in the layout of a store format; each string is its length as a
// varint and its bytes. Format 1, which keeps neither epoch nor revision:
//
//	version 1 ‖ flags 1 ‖ id 16 ‖ notBefore 8 ‖ createdAt 8 ‖ updatedAt 8
//	‖ username ‖ password hash ‖ number of claims (varint) ‖ { name ‖ JSON } by name
//
// Format 2:
//
//	version 2 ‖ flags 1 ‖ id 16 ‖ epoch 4 ‖ notBefore 8 ‖ createdAt 8 ‖ updatedAt 8 ‖ revision 4
//	‖ username ‖ password hash ‖ number of claims (varint) ‖ { name ‖ JSON } by name
//
// A MAC of the record belongs behind it, so that the offsets of the head, which the Redis scripts read,
// stay as they are. Scripts carry a record whole and never change a byte of it. DecodeUser refuses
// bytes that are left over: a MAC behind the record is taken off before.
func EncodeUser(u store.User, format int) []byte {
	return AppendUser(make([]byte, 0, 72+len(u.Username)+len(u.PasswordHash)), u, format)
}

// AppendUser is EncodeUser behind what b holds already.
func AppendUser(b []byte, u store.User, format int) []byte {
	var flags byte
	if u.Disabled {
		flags |= userDisabled
	}
	if format < store.Format2 {
		b = append(b, userVersion1, flags)
		b = append(b, u.ID[:]...)
	} else {
		b = append(b, userVersion2, flags)
		b = append(b, u.ID[:]...)
		b = binary.BigEndian.AppendUint32(b, u.Epoch)
	}
	b = AppendTime(b, u.NotBefore)
	b = AppendTime(b, u.CreatedAt)
	b = AppendTime(b, u.UpdatedAt)
	if format >= store.Format2 {
		b = binary.BigEndian.AppendUint32(b, u.Revision)
	}
	b = AppendBytes(b, u.Username)
	b = AppendBytes(b, u.PasswordHash)
	n := len(u.Claims)
	if u.Imported != "" {
		n++
	}
	if u.Move != store.MoveNone {
		n++
	}
	if u.Breached {
		n++
	}
	if len(u.Aliases) > 0 {
		n++
	}
	b = binary.AppendUvarint(b, uint64(n))
	if len(u.Aliases) > 0 {
		list, _ := json.Marshal(u.Aliases) // strings always encode
		b = AppendBytes(AppendBytes(b, aliasesClaim), list)
	}
	if u.Imported != "" {
		b = appendEntry(b, importedClaim, string(u.Imported))
	}
	if u.Move != store.MoveNone {
		b = appendEntry(b, moveClaim, encodeMove(u))
	}
	if u.Breached {
		b = appendEntry(b, breachedClaim, breachedText)
	}
	for _, name := range slices.Sorted(maps.Keys(u.Claims)) {
		b = AppendBytes(b, name)
		b = AppendBytes(b, u.Claims[name])
	}
	return b
}

// appendEntry appends an entry among the claims that is none.
func appendEntry(b []byte, name, text string) []byte {
	quoted, _ := json.Marshal(text) // text always encodes
	return AppendBytes(AppendBytes(b, name), quoted)
}

// takeEntry removes an entry among the claims that is none. It returns "" where there is none.
func takeEntry(u *store.User, name string) (string, error) {
	quoted, ok := u.Claims[name]
	if !ok {
		return "", nil
	}
	var text string // on the heap, so not a result: most users have no entry
	if json.Unmarshal(quoted, &text) != nil {
		return "", ErrMalformed
	}
	if delete(u.Claims, name); len(u.Claims) == 0 {
		u.Claims = nil
	}
	return text, nil
}

// takeAliases moves the entry of the aliases into the user.
func takeAliases(u *store.User) error {
	list, ok := u.Claims[aliasesClaim]
	if !ok {
		return nil
	}
	var aliases []string // on the heap, as in takeEntry
	if json.Unmarshal(list, &aliases) != nil || len(aliases) == 0 {
		return ErrMalformed
	}
	u.Aliases = aliases
	if delete(u.Claims, aliasesClaim); len(u.Claims) == 0 {
		u.Claims = nil
	}
	return nil
}

// encodeMove writes the name of the state, and behind MoveDone a space and the time in milliseconds.
func encodeMove(u store.User) string {
	if u.Move != store.MoveDone || u.MovedAt.IsZero() {
		return u.Move.String()
	}
	return u.Move.String() + " " + strconv.FormatInt(u.MovedAt.UnixMilli(), 10)
}

func decodeMove(u *store.User, text string) error {
	if text == "" {
		return nil
	}
	name, at, timed := strings.Cut(text, " ")
	if u.Move.UnmarshalText([]byte(name)) != nil {
		return ErrMalformed
	}
	if timed {
		ms, err := strconv.ParseUint(at, 10, 63)
		if err != nil {
			return ErrMalformed
		}
		u.MovedAt = readTime(ms)
	}
	return nil
}

// DecodeUser reads a record of either format into memory of its own.
func DecodeUser(value []byte) (store.User, error) {
	r := NewReader(bytes.Clone(value))
	version, flags := r.Byte(), r.Byte()
	if r.Err() != nil || version != userVersion1 && version != userVersion2 || flags&^userDisabled != 0 {
		return store.User{}, ErrMalformed
	}
	u := store.User{Disabled: flags&userDisabled != 0}
	copy(u.ID[:], r.Take(idSize))
	if version >= userVersion2 {
		u.Epoch = r.Uint32()
	}
	u.NotBefore, u.CreatedAt, u.UpdatedAt = r.Time(), r.Time(), r.Time()
	if version >= userVersion2 {
		u.Revision = r.Uint32()
	}
	u.Username = string(r.Bytes())
	u.PasswordHash = string(r.Bytes())
	u.Claims = readClaims(r)
	imported, badImported := takeEntry(&u, importedClaim)
	u.Imported = store.Imported(imported)
	move, badMove := takeEntry(&u, moveClaim)
	breached, badBreached := takeEntry(&u, breachedClaim)
	badAliases := takeAliases(&u)
	if u.Breached = breached == breachedText; breached != "" && !u.Breached {
		return store.User{}, ErrMalformed
	}
	if err := cmp.Or(r.End(), badImported, badMove, badBreached, badAliases, decodeMove(&u, move)); err != nil || u.Epoch > store.MaxEpoch {
		return store.User{}, ErrMalformed
	}
	return u, nil
}

func readClaims(r *Reader) map[string]json.RawMessage {
	n := r.Uvarint()
	if n == 0 {
		return nil
	}
	claims := make(map[string]json.RawMessage, n)
	for range n {
		name := string(r.Bytes())
		claims[name] = json.RawMessage(r.Bytes())
	}
	return claims
}
