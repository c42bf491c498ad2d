// Package install opens the parts of an install that a configuration names: the store with its seals, the master key,
// the signing keys, the HSM, and the mark that remembers the keyring between starts. Commands that work without a
// running server build on it, and so does package daemon. It also has `signet init`, which makes an install.
//
// Opening changes nothing, and creating never overwrites: a failed init leaves nothing behind. Errors name the setting
// or the file to change. Secrets come from files that only their owner can read, or from environment variables.
package install
