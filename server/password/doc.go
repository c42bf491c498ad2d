// Package password hashes and checks passwords, decides which may be chosen, and gives user names
// their one spelling.
//
// What it promises:
//
//   - Never more than Config.Slots passwords are hashed at once. The rest wait in order, in a queue
//     that is short in length and in time, and then get ErrBusy. A caller whose context ends leaves
//     the queue at once. Hashing more at once than there are cores makes every login slower and
//     starves the endpoints that need no hash.
//   - Hashes run in the process of Config.Worker, which leaves the cores to everything else. Where that
//     has none left for it, is stopped, or has ended, they run here, so that no login waits
//     beyond Config.Wait because of it.
//   - An unknown user costs what a known one costs: Verify with an empty hash runs the same
//     algorithm with the current parameters through the same queue. So does a hash that cannot be
//     read and a password that no hash can have. Imported users cost what their old format does
//     until their first login here replaces it.
//   - Every character of a password that is set here counts. Nothing is cut, trimmed or folded. The
//     only change is Unicode normalisation (NFC), so that one password typed on two keyboards is one
//     password.
//   - A password that another program hashed is compared in NFC and, where it was sent otherwise, as
//     it was sent. What is no new password (control characters, more than MaxLength) can be an old
//     one. Where bcrypt has cut it to 72 bytes, so
//     does the comparison, until a new password is set.
//     All users do the same number of hashes for the same password.
//   - New hashes are argon2id with their parameters inside. Others are verified, so that any user
//     table can be imported, and Result.Rehash tells the caller to replace them after a login.
//   - A stored hash cannot ask for more work than its format's limits; Supported refuses it at import.
//   - No error and no value printed from here contains a password or a hash.
//
// Package hash has the formats.
//
// The rules for choosing follow NIST SP 800-63B-4 §3.1.1.2: a minimum length, any Unicode, no rules
// of composition, and a blocklist. The blocklist is mostly not a list: guess.go estimates in how
// few pieces (well-known words, keyboard walks, sequences, repeats, words about the user) a guesser
// would arrive at the password, which covers far more of the usual choices than a file could.
// LoadBlocklist adds a file of breached passwords.
package password
