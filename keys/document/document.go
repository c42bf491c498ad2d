// Package document has what the store holds of an install's signing keys, and its bytes: the keyring, the private keys, and
// what counts for the records beside it in the store. Package masterkey seals the bytes.
package document

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"signet/keys/masterkey"
	"signet/keys/privatekey"
	"signet/keys/rotation"
)

// Document is what the store holds, sealed.
type Document struct {
	Ring    rotation.Keyring
	Private map[string]*privatekey.Key // by kid
	Records Records
}

// Records is what the document has about the records beside it in the store. It is in the sealed document,
// so that an attacker who can only write to the store can neither change it nor put an older one back.
type Records struct {
	// Sealed: every record has a seal, and one without is forged.
	Sealed bool `json:"sealed,omitempty"`
	// Floors are the least revisions that count of records which must not be put back: those of clients
	// that have, or had, rights over Signet itself, by client id.
	Floors map[string]uint32 `json:"floors,omitempty"`
}

// clearDocument is a document before it is sealed: the only form that holds private keys in the clear.
type clearDocument struct {
	rotation.Keyring
	Keys    []clearKey `json:"keys"` // hides Keyring.Keys
	Records Records    `json:"records,omitzero"`
}

// clearKey has both halves of a key, the private one in the clear unless it is elsewhere.
type clearKey struct {
	rotation.Key
	privatekey.Stored
}

// Format returns the format of the sealed document. Documents with remote keys have one that readers without
// remote keys refuse.
func (d Document) Format() byte {
	if slices.ContainsFunc(d.Ring.Keys, func(k rotation.Key) bool { return d.Private[k.KID].Remote() }) {
		return masterkey.FormatRemote
	}
	return masterkey.FormatLocal
}

// Encode writes the document in the clear, for sealing.
func (d Document) Encode() ([]byte, error) {
	clear := clearDocument{Keyring: d.Ring, Records: d.Records}
	for _, k := range d.Ring.Keys {
		stored, err := d.Private[k.KID].Stored()
		if err != nil {
			return nil, err
		}
		clear.Keys = append(clear.Keys, clearKey{k, stored})
	}
	plain, err := json.Marshal(clear)
	if err != nil {
		return nil, fmt.Errorf("encoding the keyring: %w", err)
	}
	return plain, nil
}

// Decode reads what Encode wrote. Unknown members are ignored: a newer Signet that adds one which
// must be understood also raises the format.
func Decode(plain []byte, source *privatekey.Source) (Document, error) {
	var clear clearDocument
	if err := json.Unmarshal(plain, &clear); err != nil {
		return Document{}, fmt.Errorf("%w: %T", masterkey.ErrFormat, err) // its text could quote a piece of a key
	}
	d := Document{Ring: clear.Keyring, Private: map[string]*privatekey.Key{}, Records: clear.Records}
	d.Ring.Keys = make([]rotation.Key, 0, len(clear.Keys))
	for _, c := range clear.Keys {
		kid, private, err := source.Open(c.Alg, c.Stored)
		if errors.Is(err, privatekey.ErrProvider) {
			return Document{}, fmt.Errorf("key %s: %w", c.KID, err)
		}
		if err != nil {
			return Document{}, fmt.Errorf("%w: key %q: %w", masterkey.ErrFormat, c.KID, err)
		}
		if kid != c.KID || d.Ring.Has(c.KID) {
			return Document{}, fmt.Errorf("%w: kid %q is not the key's thumbprint, or not the only one", masterkey.ErrFormat, c.KID)
		}
		d.Ring.Keys = append(d.Ring.Keys, c.Key)
		d.Private[kid] = private
	}
	return d, nil
}

// With returns the document with another keyring, whose new keys are in fresh.
func (d Document) With(ring rotation.Keyring, fresh map[string]*privatekey.Key) Document {
	private := make(map[string]*privatekey.Key, len(ring.Keys))
	for _, k := range ring.Keys {
		if private[k.KID] = d.Private[k.KID]; private[k.KID] == nil {
			private[k.KID] = fresh[k.KID]
		}
	}
	return Document{ring, private, d.Records}
}

// Contents is what can be read of a sealed document without its keys being used.
type Contents struct {
	Records Records
	Master  int // index of the master key that it is sealed with
}

// ReadContents opens a document as Open does and uses no key in it. masterkey.ErrMismatch if it does not open.
func ReadContents(installID string, master []masterkey.Key, version uint64, sealed []byte) (Contents, error) {
	s, err := masterkey.NewSealer(installID, master)
	if err != nil {
		return Contents{}, err
	}
	plain, _, err := s.Open(version, sealed)
	if err != nil {
		return Contents{}, err
	}
	var clear struct {
		Records Records `json:"records"`
	}
	if err := json.Unmarshal(plain, &clear); err != nil {
		return Contents{}, fmt.Errorf("%w: %T", masterkey.ErrFormat, err) // its text could quote a piece of a key
	}
	return Contents{clear.Records, s.KeyOf(sealed)}, nil
}

// WithRecords returns the document of the next version, with other Records and otherwise the same, sealed with
// the same master key.
func WithRecords(installID string, master []masterkey.Key, version uint64, sealed []byte, r Records) (next uint64, changed []byte, err error) {
	s, err := masterkey.NewSealer(installID, master)
	if err != nil {
		return 0, nil, err
	}
	plain, format, err := s.Open(version, sealed)
	if err != nil {
		return 0, nil, err
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(plain, &members); err != nil {
		return 0, nil, fmt.Errorf("%w: %T", masterkey.ErrFormat, err)
	}
	if members["records"], err = json.Marshal(r); err != nil {
		return 0, nil, fmt.Errorf("encoding the keyring: %w", err)
	}
	if plain, err = json.Marshal(members); err != nil {
		return 0, nil, fmt.Errorf("encoding the keyring: %w", err)
	}
	defer clear(plain)
	return version + 1, s.Seal(version+1, format, plain, s.KeyOf(sealed)), nil
}
