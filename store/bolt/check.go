package bolt

import (
	"errors"

	"go.etcd.io/bbolt"

	"signet/store/bolt/file"
	"signet/store/bolt/layout"
	"signet/store/seal"
)

// Check reads all of the file at path and returns what is wrong with it, or nil. The
// store must not be open; Check changes nothing. Records with a seal need the seals.
func Check(path string, seals *seal.Keys) (err error) {
	f, err := file.Open(path, true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.DB.Close()) }()
	return f.DB.View(func(tx *bbolt.Tx) error {
		err := file.Safely(path, func() error { return checkRecords(&layout.Tx{Tx: tx, Seals: seals}, path) })
		if err == nil {
			err = file.Structure(tx, path)
		}
		return err
	})
}

func checkRecords(tx *layout.Tx, path string) error {
	if _, err := layout.CheckLayout(tx, path); err != nil {
		return err
	}
	for _, b := range layout.Buckets {
		for from, more := []byte(nil), true; more; more = from != nil {
			var err error
			if _, from, err = layout.CheckSpan(tx, b, from); err != nil {
				return &file.DamagedError{Path: path, How: err}
			}
		}
	}
	return nil
}
