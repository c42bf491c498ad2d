package privatekey

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"signet/keys/jose"
	"signet/keys/keystest"
)

// A signer that hangs costs so many slots and so many places in the queue, and never more; every
// caller has an answer within the timeout.
func TestHangingSignerIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := keystest.NewVault()
		source := NewSource(Remote{Provider: v, Timeout: time.Second, Concurrency: 2, Queue: 3}, time.Minute)
		_, k, err := source.New(t.Context(), jose.ES256)
		if err != nil {
			t.Fatal(err)
		}
		hold := make(chan struct{})
		v.Change(func(v *keystest.Vault) { v.Hold = hold })
		begun := time.Now()
		sign := func() error {
			_, err := k.Sign(context.Background(), "input")
			return err
		}
		var waiting sync.WaitGroup
		for range 5 {
			waiting.Go(func() {
				if err := sign(); !errors.Is(err, ErrSigner) || !errors.Is(err, errLate) {
					t.Errorf("within the bounds: got %v, want ErrSigner for being late", err)
				}
			})
		}
		synctest.Wait()
		if got := v.Signing(); got != 2 {
			t.Errorf("%d signatures at once, want 2", got)
		}
		if err := sign(); !errors.Is(err, ErrSigner) || !errors.Is(err, errBusy) || time.Since(begun) > 0 {
			t.Errorf("beyond the queue: got %v after %v, want ErrSigner at once", err, time.Since(begun))
		}
		waiting.Wait()
		if took := time.Since(begun); took != time.Second {
			t.Errorf("the others waited %v, want the timeout of 1s", took)
		}
		if err := sign(); !errors.Is(err, errLate) || v.Signing() != 2 {
			t.Errorf("while it hangs: got %v and %d at once, want errLate and still 2", err, v.Signing())
		}
		v.Change(func(v *keystest.Vault) { v.Hold = nil })
		close(hold)
		synctest.Wait()
		if err := sign(); err != nil {
			t.Errorf("once it answers: %v", err)
		}
	})
}

// Who hangs up leaves the queue, and with it makes room.
func TestLimiterReleasesAbandonedCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newLimiter(1, 1, time.Hour)
		hold := make(chan struct{})
		go g.do(context.Background(), func(context.Context) error { <-hold; return nil })
		synctest.Wait()
		ctx, hangUp := context.WithCancel(context.Background())
		left := make(chan error)
		go func() { left <- g.do(ctx, func(context.Context) error { return errors.New("it ran") }) }()
		synctest.Wait()
		if err := g.do(context.Background(), nil); !errors.Is(err, errBusy) {
			t.Errorf("full: got %v, want errBusy", err)
		}
		hangUp()
		if err := <-left; !errors.Is(err, context.Canceled) {
			t.Errorf("hung up: got %v, want context.Canceled", err)
		}
		close(hold)
		if err := g.do(context.Background(), func(context.Context) error { return nil }); err != nil {
			t.Errorf("after that: %v", err)
		}
	})
}

// A key that arrives after its caller has given up is destroyed.
func TestLateKeyIsDiscarded(t *testing.T) {
	v := keystest.NewVault()
	r := NewSource(Remote{Provider: v, Timeout: time.Second, Concurrency: 1}, time.Minute)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if kid, k, err := r.New(ctx, jose.ES256); !errors.Is(err, ErrSigner) || kid != "" || k != nil {
		t.Errorf("got %v, %v, want ErrSigner", kid, err)
	}
	r.making.slots <- struct{}{} // free when the key has been dealt with
	if v.Made != len(v.Discarded) {
		t.Errorf("%d keys made and %d destroyed", v.Made, len(v.Discarded))
	}
}
