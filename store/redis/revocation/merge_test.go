package revocation

import (
	"testing"
	"time"

	"signet/store"
)

var begun = time.Unix(1_700_000_000, 0).UTC()

// TestMergeClient holds what is done again to its rule: it takes away, and gives nothing back.
func TestMergeClient(t *testing.T) {
	one, two, three := store.Secret{Hash: []byte("1")}, store.Secret{Hash: []byte("2")}, store.Secret{Hash: []byte("3")}
	client := func(revision, epoch uint32, disabled bool, secrets ...store.Secret) store.Client {
		return store.Client{ID: "app", Revision: revision, Epoch: epoch, Disabled: disabled, Secrets: secrets, CreatedAt: begun}
	}
	anew := client(9, 2, false, three)
	anew.CreatedAt = begun.Add(time.Hour)
	for name, c := range map[string]struct {
		now, lost store.Client
		before    bool
		want      store.Client
	}{
		"it has seen the change":              {client(6, 1, true, one), client(5, 0, false, one, two), false, client(6, 1, true, one)},
		"it is from before the change":        {client(4, 0, false, one), client(5, 1, true, two), true, client(5, 1, true, two)},
		"before an enabling":                  {client(4, 1, true, one), client(5, 1, false, one), true, client(6, 1, true, one)},
		"a tie":                               {client(5, 0, false, one, three), client(5, 0, true, one, two), false, client(6, 0, true, one)},
		"a lost end, with later changes":      {client(7, 0, false, one), client(5, 1, true, one, two), false, client(8, 1, true, one)},
		"made anew":                           {anew, client(5, 1, true, one), false, anew},
		"an older state that nobody has seen": {client(3, 0, false, one), client(5, 0, false, two, one), false, client(6, 0, false, one)},
	} {
		if got := MergeClient(c.now, c.lost, c.before); !SameClient(got, c.want) {
			t.Errorf("%s: got %+v, want %+v", name, got, c.want)
		}
	}
}
