package bolt

import (
	"testing"
	"time"
)

// FuzzUnpackCount asks that damage is an error, never a panic, and that there is one spelling of a record.
func FuzzUnpackCount(f *testing.F) {
	f.Add(packCount(count{n: 3, first: time.Now(), same: []byte("x")}))
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := unpackCount(raw)
		if err == nil && string(packCount(c)) != string(raw) {
			t.Errorf("%x became %x", raw, packCount(c))
		}
	})
}
