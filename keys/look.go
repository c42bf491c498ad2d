package keys

import (
	"encoding/json"
	"fmt"

	"signet/keys/masterkey"
)

// Look is what can be learned from a keyring document without its keys being used.
type Look struct {
	Records Records
	Master  int // index of the master key that it is sealed with
}

// LookInto opens a document as Open does and touches no key in it. masterkey.ErrMismatch if it does not open.
func LookInto(installID string, master []masterkey.Key, version uint64, document []byte) (Look, error) {
	s, err := masterkey.NewSealer(installID, master)
	if err != nil {
		return Look{}, err
	}
	plain, _, err := s.Open(version, document)
	if err != nil {
		return Look{}, err
	}
	var ring struct {
		Records Records `json:"records"`
	}
	if err := json.Unmarshal(plain, &ring); err != nil {
		return Look{}, fmt.Errorf("%w: %T", masterkey.ErrFormat, err) // its text could quote a piece of a key
	}
	return Look{ring.Records, s.KeyOf(document)}, nil
}

// WithRecords returns the document of the next version, in which only Records is another. It is sealed with
// the same master key.
func WithRecords(installID string, master []masterkey.Key, version uint64, document []byte, r Records) (next uint64, changed []byte, err error) {
	s, err := masterkey.NewSealer(installID, master)
	if err != nil {
		return 0, nil, err
	}
	plain, format, err := s.Open(version, document)
	if err != nil {
		return 0, nil, err
	}
	var ring map[string]json.RawMessage
	if err := json.Unmarshal(plain, &ring); err != nil {
		return 0, nil, fmt.Errorf("%w: %T", masterkey.ErrFormat, err)
	}
	if ring["records"], err = json.Marshal(r); err != nil {
		return 0, nil, fmt.Errorf("encoding the keyring: %w", err)
	}
	if plain, err = json.Marshal(ring); err != nil {
		return 0, nil, fmt.Errorf("encoding the keyring: %w", err)
	}
	defer clear(plain)
	return version + 1, s.Seal(version+1, format, plain, s.KeyOf(document)), nil
}
