// Package codec has the bytes of records in a backend: short byte strings for users and sessions, JSON for
// clients. All backends share it, so a record has one layout wherever it is kept.
//
// Users and sessions are encoded by hand, because every refresh reads one of each: to decode JSON would cost
// more than the rest of a refresh. Integers are big-endian. Times are Unix milliseconds in eight bytes, or in
// six in sessions of format 2; the zero time is 0. The first byte is the version of the layout. A record of an
// unknown version is ErrMalformed. The first fields of a user and a session have fixed offsets, because the
// Redis scripts read them.
package codec
