// Package transfer moves a store: `signet export` writes an archive, `signet import` fills an empty store with one, and
// `signet store compact` rewrites the file of a bolt store. The format of an archive is in package store/archive.
//
// Records are streamed, so a store of any size fits in memory. An import reads its archive twice: first to check all of
// it, then to write, so a bad archive changes nothing.
package transfer
