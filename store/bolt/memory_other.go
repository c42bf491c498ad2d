//go:build !linux

package bolt

// trimMemory has nothing to do: only Linux counts mapped pages in a way that matters to limits.
func (s *Store) trimMemory() {}
