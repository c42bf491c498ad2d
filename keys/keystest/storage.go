package keystest

import (
	"bytes"
	"context"
	"errors"
	"sync"
)

// ErrDown is the error of a Storage that fails.
var ErrDown = errors.New("connection refused")

// Storage is a keys.Storage in memory that can be made to fail before or after the fact.
type Storage struct {
	mu        sync.Mutex
	Version   uint64
	Document  []byte
	Down      bool // every call fails
	LoseReply bool // the next swap happens but answers an error
	FailSwap  bool // the next swap fails
	Swaps     int  // that happened
}

// LoadKeyring implements keys.Storage.
func (s *Storage) LoadKeyring(context.Context) (uint64, []byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.Down {
		return 0, nil, ErrDown
	}
	return s.Version, bytes.Clone(s.Document), nil
}

// SwapKeyring implements keys.Storage.
func (s *Storage) SwapKeyring(_ context.Context, old, next uint64, document []byte) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.Down || s.FailSwap {
		s.FailSwap = false
		return false, ErrDown
	}
	if next <= old {
		return false, errors.New("next is not greater than old")
	}
	if s.Version != old {
		return false, nil
	}
	s.Version, s.Document = next, bytes.Clone(document)
	s.Swaps++
	if s.LoseReply {
		s.LoseReply = false
		return false, ErrDown
	}
	return true, nil
}

// Set replaces what is stored.
func (s *Storage) Set(version uint64, document []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Version, s.Document = version, bytes.Clone(document)
}

// Get returns what is stored.
func (s *Storage) Get() (uint64, []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Version, bytes.Clone(s.Document)
}

// SetDown makes every call fail, or none.
func (s *Storage) SetDown(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Down = down
}
