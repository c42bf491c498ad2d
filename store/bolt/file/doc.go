// Package file opens, makes, checks and copies the file of a store: a bbolt file that this process has locked.
//
// # Promises
//
//   - One process. A second Open answers store.ErrLocked at once.
//   - A missing, empty, truncated or damaged file is an error that names the file and the fault. Open makes, repairs and
//     replaces nothing.
//   - A page fault, and a panic of bbolt, which trusts its pages, is a DamagedError of the call that met it.
//   - Make and Replace give a file its name when it is whole and synced: a crash leaves the old state or the new one.
//
// # Choices
//
// The list of free pages is written with each commit: leaving it out would save a page a commit but make opening read the
// whole file. It is kept in maps, which stays fast after a sweep has freed much. The file is mapped with room to grow, because
// growing the map has to wait for all readers, a running backup included; address space costs no memory.
package file
