package file

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"
)

// TestPermission: a file that may not be opened is not called damaged.
func TestPermission(t *testing.T) {
	denied := &fs.PathError{Op: "open", Path: "/data/signet.db", Err: os.ErrPermission}
	err := explain("/data/signet.db", denied)
	if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "/data/signet.db") || errors.Is(err, ErrDamaged) {
		t.Errorf("got %v, want the permission and the path, not damage", err)
	}
}
