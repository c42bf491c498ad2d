package server_test

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"signet/store"
	"signet/store/bolt"
)

// breakable is a store that counts what requests ask of it, and answers nothing while it is down.
type breakable struct {
	store.Store
	down atomic.Bool
	swap sync.RWMutex // held while Store is another one; what does not come from requests asks for it

	mu      sync.Mutex
	asked   []string
	waiting map[string]chan struct{} // closed when that is asked
}

func (b *breakable) ask(what string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked = append(b.asked, what)
	if somebody := b.waiting[what]; somebody != nil {
		close(somebody)
		delete(b.waiting, what)
	}
	if b.down.Load() {
		return fmt.Errorf("%s: %w: canary-dsn redis://user:canary@host", what, store.ErrUnavailable)
	}
	return nil
}

// begin forgets what was asked so far.
func (b *breakable) begin() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked = nil
}

// waitFor returns a channel that is closed when a request asks for that.
func (b *breakable) waitFor(what string) <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	asked := make(chan struct{})
	b.waiting = map[string]chan struct{}{what: asked}
	return asked
}

func (b *breakable) since() int { return len(b.names()) }

func (b *breakable) names() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.asked)
}

func (b *breakable) Client(ctx context.Context, id string) (store.Client, error) {
	if err := b.ask("Client"); err != nil {
		return store.Client{}, err
	}
	return b.Store.Client(ctx, id)
}

func (b *breakable) ClientsVersion(ctx context.Context) (string, error) {
	if b.down.Load() {
		return "", b.ask("ClientsVersion")
	}
	return b.Store.ClientsVersion(ctx) // a server asks for it now and then, whatever the request
}

func (b *breakable) ListClients(ctx context.Context, after string, limit int) ([]store.Client, error) {
	if b.down.Load() {
		return nil, b.ask("ListClients")
	}
	return b.Store.ListClients(ctx, after, limit)
}

func (b *breakable) BeginLogin(ctx context.Context, now time.Time, a store.Attempt, name string) (store.Admission, store.Credential, error) {
	if err := b.ask("BeginLogin"); err != nil {
		return store.Admission{}, store.Credential{}, err
	}
	return b.Store.BeginLogin(ctx, now, a, name)
}

func (b *breakable) FinishLogin(ctx context.Context, now time.Time, r store.Receipt, s store.Session, bounds store.SessionLimits) (store.Login, error) {
	if err := b.ask("FinishLogin"); err != nil {
		return store.Login{}, err
	}
	return b.Store.FinishLogin(ctx, now, r, s, bounds)
}

func (b *breakable) RedeemCode(ctx context.Context, s store.Session, bounds store.SessionLimits, until time.Time) (store.Session, store.User, error) {
	if err := b.ask("RedeemCode"); err != nil {
		return store.Session{}, store.User{}, err
	}
	return b.Store.RedeemCode(ctx, s, bounds, until)
}

func (b *breakable) Rotate(ctx context.Context, r store.Rotation) (store.Session, store.User, store.Outcome, error) {
	if err := b.ask("Rotate"); err != nil {
		return store.Session{}, store.User{}, 0, err
	}
	return b.Store.Rotate(ctx, r)
}

func (b *breakable) RevokeSession(ctx context.Context, user store.UserID, id store.SessionID) (bool, error) {
	if err := b.ask("RevokeSession"); err != nil {
		return false, err
	}
	return b.Store.RevokeSession(ctx, user, id)
}

func (b *breakable) RevokeToken(ctx context.Context, jti string, until time.Time) error {
	if err := b.ask("RevokeToken"); err != nil {
		return err
	}
	return b.Store.RevokeToken(ctx, jti, until)
}

func (b *breakable) UseAssertion(ctx context.Context, id store.AssertionID, until time.Time) error {
	if err := b.ask("UseAssertion"); err != nil {
		return err
	}
	return b.Store.UseAssertion(ctx, id, until)
}

func (b *breakable) TokenState(ctx context.Context, ref store.TokenRef) (store.TokenState, error) {
	if err := b.ask("TokenState"); err != nil {
		return store.TokenState{}, err
	}
	return b.Store.TokenState(ctx, ref)
}

func (b *breakable) Count(ctx context.Context, now time.Time, s store.Scope) (time.Duration, error) {
	if err := b.ask("Count"); err != nil {
		return 0, err
	}
	return b.Store.Count(ctx, now, s)
}

func (b *breakable) Fail(ctx context.Context, now time.Time, r store.Receipt) ([]string, error) {
	if err := b.ask("Fail"); err != nil {
		return nil, err
	}
	return b.Store.Fail(ctx, now, r)
}

func (b *breakable) Ping(ctx context.Context) error {
	if b.down.Load() {
		return b.ask("Ping")
	}
	return b.Store.Ping(ctx)
}

// Backup is for the admin listener, which looks whether the store has it.
func (b *breakable) Backup(ctx context.Context, w io.Writer) (int64, error) {
	return b.Store.(interface {
		Backup(context.Context, io.Writer) (int64, error)
	}).Backup(ctx, w)
}

// AppendEvents is called by the server's own goroutine, at any time.
func (b *breakable) AppendEvents(ctx context.Context, events []store.Event) error {
	b.swap.RLock()
	defer b.swap.RUnlock()
	return b.Store.AppendEvents(ctx, events)
}

// reopen closes the file and opens it again.
func (sc *script) reopen([]string) {
	b := sc.stage.store
	b.swap.Lock()
	defer b.swap.Unlock()
	if err := sc.stage.Store.Close(); err != nil {
		sc.Fatalf("%v", err)
	}
	again, err := bolt.Open(sc.stage.StorePath, bolt.Options{Now: sc.stage.Clock.Now})
	if err != nil {
		sc.Fatalf("%v", err)
	}
	sc.Cleanup(func() { again.Close() })
	sc.stage.Store, b.Store = again, again
}

// Flush is asked for before a backup.
func (b *breakable) Flush(ctx context.Context, now time.Time) error {
	return b.Store.(interface {
		Flush(context.Context, time.Time) error
	}).Flush(ctx, now)
}
