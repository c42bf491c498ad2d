package keys

import (
	"context"
	"fmt"
	"time"

	"signet/keys/clockcheck"
	"signet/keys/document"
	"signet/keys/masterkey"
	"signet/keys/privatekey"
)

// Storage keeps the sealed keyring: opaque bytes under a version number.
type Storage interface {
	// LoadKeyring returns the current document. Version 0 with no bytes means that there is none.
	LoadKeyring(ctx context.Context) (version uint64, document []byte, err error)
	// SwapKeyring writes document as version next if the stored version is still old; it reports
	// whether it did. It never lowers a version: next must be greater than old.
	SwapKeyring(ctx context.Context, old, next uint64, document []byte) (swapped bool, err error)
}

// Clocked is a Storage with a clock of its own, on another machine than this replica's.
type Clocked interface {
	// LoadKeyringAt is LoadKeyring, and what the storage's clock showed at some moment of the call;
	// zero where it shows no time.
	LoadKeyringAt(ctx context.Context) (version uint64, document []byte, at time.Time, err error)
}

// CompareClocks returns clockcheck.ErrClock if the clocks of this machine and of the storage differ by more
// than Skew. It writes nothing.
func CompareClocks(ctx context.Context, cfg Config) error {
	m, err := newManager(cfg)
	if err != nil {
		return err
	}
	if _, _, err := m.store.load(ctx); err != nil {
		return fmt.Errorf("comparing the clocks: %w", err)
	}
	return m.clock.Check()
}

// sealedStore is the Storage with what opens and seals its documents.
type sealedStore struct {
	storage Storage
	sealer  *masterkey.Sealer
	source  *privatekey.Source
	clock   *clockcheck.Clock
	timeout time.Duration // of one call: a proposal arrives within its notice, or is given up
}

// load reads the document, and compares the clocks on the way.
func (s *sealedStore) load(ctx context.Context) (version uint64, document []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	storage, ok := s.storage.(Clocked)
	if !ok {
		version, document, err = s.storage.LoadKeyring(ctx)
	} else {
		var at time.Time
		before := s.clock.Reading()
		if version, document, at, err = storage.LoadKeyringAt(ctx); err == nil && !at.IsZero() {
			s.clock.ObserveStorage(at, before)
		}
	}
	if err == nil {
		s.clock.Compare()
	}
	return version, document, err
}

func (s *sealedStore) open(version uint64, sealed []byte) (document.Document, error) {
	plain, _, err := s.sealer.Open(version, sealed)
	if err != nil {
		return document.Document{}, err
	}
	return document.Decode(plain, s.source)
}

// write seals the document with that master key and swaps it in if the stored version is old. After an
// error it is not known whether the document that it returns was written.
func (s *sealedStore) write(ctx context.Context, old, next uint64, d document.Document, master int) (written *snapshot, swapped bool, err error) {
	plain, err := d.Encode()
	if err != nil {
		return &snapshot{}, false, err
	}
	written = &snapshot{version: next, sealed: s.sealer.Seal(next, d.Format(), plain, master), Document: d}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	swapped, err = s.storage.SwapKeyring(ctx, old, next, written.sealed)
	if err != nil {
		return written, false, fmt.Errorf("writing the keyring: %w", err)
	}
	return written, swapped, nil
}
