package storetest

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"signet/store"
)

func testInstall(t *testing.T, b Backend) {
	ctx, s := context.Background(), b.Store
	_, err := s.Install(ctx)
	wantError(t, "Install before there is one", err, store.ErrNotFound)
	want := store.Install{ID: "one", Schema: 1, CreatedAt: t0}
	noError(t, "CreateInstall", s.CreateInstall(ctx, want))
	wantError(t, "CreateInstall again", s.CreateInstall(ctx, store.Install{ID: "two", Schema: 1}), store.ErrExists)
	equal(t, "Install", must[store.Install](t, "Install")(s.Install(ctx)), want)
	equal(t, "Install after reopening", must[store.Install](t, "Install")(b.Reopen(t).Install(ctx)), want)
}

func testSchema(t *testing.T, b Backend) {
	if b.OpenError == nil {
		t.Skip("the backend does not say how it fails to open")
	}
	noError(t, "CreateInstall", b.Store.CreateInstall(context.Background(), store.Install{ID: "new", Schema: 1_000_000}))
	wantError(t, "opening data of a newer schema", b.OpenError(t), store.ErrSchema)
}

func testKeyring(t *testing.T, b Backend) {
	ctx, s := context.Background(), b.Store
	version, document := loadKeyring(t, s)
	equal(t, "no keyring", fmt.Sprint(version, len(document)), "0 0")
	for _, c := range []struct {
		old, next uint64
		swapped   bool
		then      uint64
	}{
		{1, 2, false, 0}, // there is none yet
		{0, 3, true, 3},
		{0, 4, false, 3},
		{2, 4, false, 3},
		{4, 5, false, 3},
		{3, 1 << 60, true, 1 << 60},
	} {
		swapped, err := s.SwapKeyring(ctx, c.old, c.next, fmt.Append(nil, "v", c.next))
		noError(t, "SwapKeyring", err)
		equal(t, fmt.Sprintf("SwapKeyring(%d, %d)", c.old, c.next), swapped, c.swapped)
		version, document, err = s.LoadKeyring(ctx)
		noError(t, "LoadKeyring", err)
		equal(t, "version", version, c.then)
		if c.swapped {
			equal(t, "document", string(document), fmt.Sprint("v", c.next))
		}
	}
	for _, next := range []uint64{1 << 60, 5, 0} {
		swapped, err := s.SwapKeyring(ctx, 1<<60, next, []byte("lower"))
		if swapped || err == nil {
			t.Errorf("SwapKeyring to %d, which is not higher: got %v, %v, want a refusal", next, swapped, err)
		}
	}
	version, document = loadKeyring(t, b.Reopen(t))
	equal(t, "after reopening", fmt.Sprint(version, " ", string(document)), fmt.Sprint(1<<60, " v", 1<<60))
}

func testKeyringRace(t *testing.T, b Backend) {
	ctx, s := context.Background(), b.Store
	for old := range uint64(5) {
		var winners atomic.Int32
		var winner atomic.Value
		var wg sync.WaitGroup
		for i := range 16 {
			wg.Go(func() {
				document := fmt.Sprint(old, "-", i)
				swapped, err := s.SwapKeyring(ctx, old, old+1, []byte(document))
				noErrorf(t, "SwapKeyring", err)
				if swapped {
					winners.Add(1)
					winner.Store(document)
				}
			})
		}
		wg.Wait()
		equal(t, "winners", winners.Load(), int32(1))
		version, document := loadKeyring(t, s)
		equal(t, "the winner's document", fmt.Sprint(version, string(document)), fmt.Sprint(old+1, winner.Load()))
	}
}
