// Package upkeep walks through whole bolt files: it deletes what has run out, seals records anew, and looks for damage.
//
// A walk reads some records at a time, each span in a snapshot of its own, so that it holds up neither the reuse of pages nor
// the growth of the file's map. What it changes shares the commits of others, and is looked at again there.
package upkeep
