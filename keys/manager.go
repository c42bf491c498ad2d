package keys

import (
	"context"
	"errors"
	"time"
)

type Manager struct{ cfg Config }

type Set struct {
	Body   []byte
	ETag   string
	MaxAge time.Duration
}

var errSoon = errors.New("not there yet")

func Init(ctx context.Context, cfg Config) error             { return errSoon }
func Open(ctx context.Context, cfg Config) (*Manager, error) { return nil, errSoon }
func (m *Manager) Run(ctx context.Context) error             { return errSoon }
func (m *Manager) Step(ctx context.Context) error            { return errSoon }
func (m *Manager) Wake()                                     {}
func (m *Manager) Rotate(ctx context.Context, alg string) (activates time.Time, err error) {
	return time.Time{}, errSoon
}
func (m *Manager) Sign(ctx context.Context, alg, typ string, claims any) (token, kid string, err error) {
	return "", "", errSoon
}
func (m *Manager) Verify(token, typ string, claims any) (kid string, err error) { return "", errSoon }
func (m *Manager) JWKS() (Set, error)                                           { return Set{}, errSoon }
func (m *Manager) Algorithms() []string                                         { return nil }
func (m *Manager) Keys() []KeyInfo                                              { return nil }
func (m *Manager) Version() uint64                                              { return 0 }
func (m *Manager) ReadAt() time.Time                                            { return time.Time{} }
