// Package packed is how records lie in a backend: users and sessions as short byte strings, clients
// as JSON. Backends share it, so that a record has one layout wherever it is kept.
//
// The records on the refresh path are packed by hand: a refresh reads a session and a user, and
// decoding JSON would cost more than the rest of the work together. Integers are big-endian, times
// are Unix milliseconds in eight bytes, the zero time is 0. The first byte is the layout's version;
// a layout that this package does not know is ErrMalformed, never a guess. The heads of the user and
// session records have fixed offsets, because the Redis scripts read them.
package packed
