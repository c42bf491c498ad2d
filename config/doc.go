// Package config reads the settings of an operator and reports what is wrong with them.
//
// There is one YAML file. Every key in it can be overridden by an environment variable: its path in
// upper case, dots as underscores, SIGNET_ in front. So refresh.grace is SIGNET_REFRESH_GRACE. Lists
// are written with commas there. A variable that is empty counts as not set. A flag wins over the
// environment, the environment over the file, the file over the preset that keys.preset names, and
// that over the default.
//
// The comments on the fields of Config are the manual: deploy/signet.example.yaml is made from them.
//
// What Load promises:
//
//   - An unknown key is an error with its line, and so is a key given twice: a setting that is misspelt
//     must not silently be the default, least of all one that protects something.
//   - All problems are reported at once, each with its place, its field and what to do.
//   - A Config without an error is complete: defaults filled in, paths absolute, every field in its range.
//     Rules of other packages (a certificate that parses) are checked there. Keys.CheckTimetable words the
//     rules of the key timetable, which package rotation has.
//   - It reads the one file it is given and nothing else, and it never keeps a secret: the master key,
//     the HSM's PIN and the passwords of Redis have files and variables of their own, and a password
//     in the URL of the store is refused without repeating it.
//
// Only cmd reads this package, and turns it into each package's own Config.
package config
