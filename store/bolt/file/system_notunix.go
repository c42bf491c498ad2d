//go:build !unix

package file

import "os"

// unlock has nothing to do where closing the file is enough.
func unlock(*os.File) {}

// sameOwner has nothing to do where files have no owner of this kind.
func sameOwner(string, os.FileInfo) error { return nil }
