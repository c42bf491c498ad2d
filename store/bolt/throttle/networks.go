package throttle

import (
	"time"

	"signet/store"
	"signet/store/bolt/layout"
)

// NoteNetworks keeps the network of a success in the scopes that have one.
func NoteNetworks(t *layout.Tx, now time.Time, a store.Attempt) error {
	for _, scope := range a.Scopes {
		if len(scope.From) == 0 {
			continue
		}
		key := []byte(scope.Place)
		noted, err := layout.ReadNetworks(t, key)
		if err != nil {
			noted = nil // damaged: begin anew
		}
		if noted, changed := noted.Note(now, scope.From); changed {
			if err := layout.PutNetworks(t, key, noted); err != nil {
				return err
			}
		}
	}
	return nil
}

// Forgotten reports whether no network of a place is kept any more.
func Forgotten(tx *layout.Tx, now time.Time, place []byte) bool {
	noted, err := layout.ReadNetworks(tx, place)
	if err != nil {
		return true
	}
	for _, k := range noted {
		if noted.Has(now, k.From[:]) {
			return false
		}
	}
	return true
}
