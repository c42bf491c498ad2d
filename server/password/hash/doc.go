// Package hash reads and checks stored password hashes, those that Signet writes (argon2id) and those of other
// programs.
//
// What it promises:
//
//   - A stored hash is one string with its format and costs inside. Parse accepts one spelling of each hash,
//     and String returns it.
//   - Parse is quick whatever the hash asks for, and refuses costs that no cap may allow. Caps.Check refuses
//     what costs more than an operator allows.
//   - Comparison takes the same time wherever two hashes differ. No error contains a hash or a password.
//
// A new format is a file and a row in format.go.
package hash
