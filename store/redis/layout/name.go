package layout

import (
	"encoding/binary"

	"signet/store"
	"signet/store/codec"
	"signet/store/seal"
)

// Name is the record of a name. It leads to its user and has a copy of the user's credential, so that a login need not ask
// twice before it hashes. The user's record, in another slot, is what counts; the copy counts while
// its revision is not below the least that was announced. A change of the credential announces
// the new revision first, then changes the record, and copies last. So a change that breaks off
// anywhere leaves a copy that does not count, and the login reads the record. A name leads only to a user whose record has it, as
// username or alias: the record is changed before a name is taken and before one is freed. In Redis:
//
//	revision of the copy 4 ‖ least revision that counts 4 ‖ flags 1 ‖ user id 16 ‖ epoch 4 ‖ password hash
//
// The epoch is there where its flag is set: not in a store of format 1.
type Name struct {
	Revision, Least uint32
	store.Credential
}

const (
	nameDisabled = 1 << 0
	nameEpoch    = 1 << 1 // it has the epoch
	nameMove     = 2      // store.Move is in the two bits from this one on
)

// NameOf is the name of a user with an up-to-date copy.
func NameOf(u store.User) Name { return Name{u.Revision, u.Revision, u.Credential()} }

// AliasOf is the record of an alias, and of a username that is not yet the user's: it leads to the user, and has no copy that
// counts. Its revision is that of the user's record in which the name is.
func AliasOf(u store.User) Name {
	return Name{u.Revision, u.Revision + 1, store.Credential{UserID: u.ID}}
}

// ConfirmedAliasOf takes the place of AliasOf when the creation of the user is complete. It means the same. Its bytes differ, so
// that whoever read the one from before cannot replace it.
func ConfirmedAliasOf(u store.User) Name {
	return Name{u.Revision, u.Revision + 2, store.Credential{UserID: u.ID}}
}

// Counts reports whether the copy is as new as it must be.
func (n Name) Counts() bool { return n.Revision >= n.Least }

// leastAt is where scripts write into the record of a name. Its seal takes it for 0.
const leastAt, leastEnd = 4, 8

// EncodeName returns the record of the user's name.
func (c *Codec) EncodeName(username string, n Name) string {
	raw := n.encode(c.Format())
	if c.Format() < store.Format2 {
		return string(raw)
	}
	least := [leastEnd - leastAt]byte(raw[leastAt:leastEnd])
	clear(raw[leastAt:leastEnd])
	raw = c.Seals.Seal(seal.Name, []byte(username), raw)
	copy(raw[leastAt:leastEnd], least[:])
	return string(raw)
}

// encode returns the record without its seal.
func (n Name) encode(format int) []byte {
	b := make([]byte, 0, 29+len(n.PasswordHash))
	b = binary.BigEndian.AppendUint32(b, n.Revision)
	b = binary.BigEndian.AppendUint32(b, n.Least)
	flags := byte(n.Move&3) << nameMove
	if n.Disabled {
		flags |= nameDisabled
	}
	if format >= store.Format2 {
		flags |= nameEpoch
	}
	b = append(b, flags)
	b = append(b, n.UserID[:]...)
	if format >= store.Format2 {
		b = binary.BigEndian.AppendUint32(b, n.Epoch)
	}
	return append(b, n.PasswordHash...)
}

// DecodeName reads the record under a username.
func (c *Codec) DecodeName(username, raw string) (n Name, err error) {
	if len(raw) < leastEnd {
		return n, codec.ErrMalformed
	}
	zeroed := []byte(raw)
	clear(zeroed[leastAt:leastEnd])
	record, err := c.Seals.Open(seal.Name, []byte(username), zeroed)
	if err != nil {
		return n, err
	}
	copy(record[leastAt:leastEnd], raw[leastAt:leastEnd])
	r := codec.NewReader(record)
	n.Revision, n.Least = r.Uint32(), r.Uint32()
	flags := r.Byte()
	n.Disabled, n.Move = flags&nameDisabled != 0, store.Move(flags>>nameMove&3)
	copy(n.UserID[:], r.Take(16))
	if flags&nameEpoch != 0 {
		n.Epoch = r.Uint32()
	}
	n.PasswordHash = string(r.Rest())
	return n, r.Err()
}
