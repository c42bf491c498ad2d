// Package keystest has what tests of signing keys need: a storage in memory and a provider of keys, both of which
// fail when a test wants it.
package keystest
