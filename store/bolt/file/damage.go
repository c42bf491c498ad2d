package file

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"

	"go.etcd.io/bbolt"
)

// ErrDamaged distinguishes a file that must be restored from one that is busy or out of reach.
var ErrDamaged = errors.New("the store is damaged")

// DamagedError is the error of a file that must be replaced by a copy.
type DamagedError struct {
	Path string
	How  error // what is wrong with it
}

// Error implements error.
func (e *DamagedError) Error() string {
	return fmt.Sprintf("%v: %s: %v; restore a backup", ErrDamaged, e.Path, e.How)
}

// Unwrap returns ErrDamaged and what is wrong.
func (e *DamagedError) Unwrap() []error { return []error{ErrDamaged, e.How} }

// Damaged returns a DamagedError.
func Damaged(path, how string) error { return &DamagedError{path, errors.New(how)} }

// Panicked returns the DamagedError of a panic of bbolt.
func Panicked(path string, p any) error {
	if _, ok := p.(runtime.Error); ok {
		return Damaged(path, "its pages do not fit together")
	}
	return Damaged(path, fmt.Sprint(p))
}

// Safely turns panics and page faults of a damaged file into a DamagedError.
func Safely(path string, do func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = Panicked(path, p)
		}
	}()
	return do()
}

// maxFaults is how many faults Structure lists; a damaged page can cause thousands.
const maxFaults = 10

// Structure has bbolt check all pages. It does that in a goroutine of its own, where a page fault ends the process: read
// every record before.
func Structure(tx *bbolt.Tx, path string) error {
	var faults []error
	for err := range tx.Check() { // to the end: the sender waits for the receiver
		if len(faults) < maxFaults {
			faults = append(faults, err)
		}
	}
	if len(faults) == 0 {
		return nil
	}
	return Damaged(path, errors.Join(slices.Clip(faults)...).Error())
}
