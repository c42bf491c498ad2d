package keys

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"signet/keys/masterkey"
	"signet/keys/privatekey"
	"signet/keys/rotation"
)

// document is what the store holds, sealed: the keyring, its private keys, and the Records.
type document struct {
	ring    rotation.Keyring
	private map[string]*privatekey.Key // by kid
	records Records
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

// format returns the format of the sealed document. Documents with remote keys have one that readers without
// remote keys refuse.
func (d document) format() byte {
	if slices.ContainsFunc(d.ring.Keys, func(k rotation.Key) bool { return d.private[k.KID].Remote() }) {
		return masterkey.FormatRemote
	}
	return masterkey.FormatLocal
}

// encode writes the document in the clear, for sealing.
func (d document) encode() ([]byte, error) {
	clear := clearDocument{Keyring: d.ring, Records: d.records}
	for _, k := range d.ring.Keys {
		stored, err := d.private[k.KID].Stored()
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

// decodeDocument reads what encode wrote. Unknown members are ignored: a newer Signet that adds one which
// must be understood also raises the format.
func decodeDocument(plain []byte, source *privatekey.Source) (document, error) {
	var clear clearDocument
	if err := json.Unmarshal(plain, &clear); err != nil {
		return document{}, fmt.Errorf("%w: %T", masterkey.ErrFormat, err) // its text could quote a piece of a key
	}
	d := document{ring: clear.Keyring, private: map[string]*privatekey.Key{}, records: clear.Records}
	d.ring.Keys = make([]rotation.Key, 0, len(clear.Keys))
	for _, c := range clear.Keys {
		kid, private, err := source.Open(c.Alg, c.Stored)
		if errors.Is(err, privatekey.ErrProvider) {
			return document{}, fmt.Errorf("key %s: %w", c.KID, err)
		}
		if err != nil {
			return document{}, fmt.Errorf("%w: key %q: %w", masterkey.ErrFormat, c.KID, err)
		}
		if kid != c.KID || d.ring.Has(c.KID) {
			return document{}, fmt.Errorf("%w: kid %q is not the key's thumbprint, or not the only one", masterkey.ErrFormat, c.KID)
		}
		d.ring.Keys = append(d.ring.Keys, c.Key)
		d.private[kid] = private
	}
	return d, nil
}

// with returns the document with another keyring, whose new keys are in fresh.
func (d document) with(ring rotation.Keyring, fresh map[string]*privatekey.Key) document {
	private := make(map[string]*privatekey.Key, len(ring.Keys))
	for _, k := range ring.Keys {
		if private[k.KID] = d.private[k.KID]; private[k.KID] == nil {
			private[k.KID] = fresh[k.KID]
		}
	}
	return document{ring, private, d.records}
}

func cloneFloors(floors map[string]uint32) map[string]uint32 {
	if floors == nil {
		return map[string]uint32{}
	}
	return maps.Clone(floors)
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
