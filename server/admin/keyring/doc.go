// Package keyring has the verbs of the admin API about the signing keys.
package keyring
