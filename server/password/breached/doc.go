// Package breached builds and reads a compact file of breached passwords, in which a password can be looked up offline.
//
// What it promises:
//
//   - The file takes about 1.16 bytes for each password, and has neither passwords nor hashes in it. It is a series of
//     binary fuse filters (https://arxiv.org/abs/2201.01174), each of 262,144 hashes that follow each other.
//   - A password that was in the input is always found. Another one is found by mistake with a probability of 1/256.
//   - Build reads the input once, takes a few MiB of memory whatever its size, and when it was broken off,
//     it goes on: what it has written is kept as far as the input has the same hashes. An unfinished file has another name.
//   - Open reads the positions of the filters, and a look-up one filter of about 300 KB; the rest stays on disk.
//     A file that is damaged is an error, not an answer.
package breached
