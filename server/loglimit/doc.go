// Package loglimit bounds how many lines or events are written about what callers can repeat at will.
//
// A Limiter allows some occurrences per window for each key (a type, a client and a network) and counts
// the rest. When the window ends, it returns one Summary for each key that exceeded its share. Its memory
// is bounded whatever the keys are. The access log and the audit trail both use it.
package loglimit
