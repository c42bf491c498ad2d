// Package pages checks the structure of a bbolt file while it is in use.
//
// bbolt's own check shares the list of free pages with the writer, so it would have to hold up all
// writers, for seconds with a large file. This one reads the pages of a snapshot from the file: as long
// as a read transaction is open, bbolt writes over none of them, the list of free pages included.
//
// What is read here is the file format of bbolt, version 2.
package pages

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
)

const (
	metaMagic    = 0xED0CDAED
	metaVersion  = 2
	pageHead     = 16 // id 8 ‖ flags 2 ‖ count 2 ‖ overflow 4
	elementSize  = 16
	branchPage   = 0x01
	leafPage     = 0x02
	freelistPage = 0x10
	bucketEntry  = 0x01
	manyIDs      = 0xFFFF // a count of free pages that stands behind the head

	// maxDepth bounds the levels of a walk. A branch has two pages below it at least, so no file has a tree as deep.
	maxDepth = 64
)

// ErrSnapshotGone: two commits were made since the snapshot was taken, and its head was written over. There is a
// newer snapshot to check.
var ErrSnapshotGone = errors.New("the head of this snapshot was written over")

// Check checks that every page of a snapshot is of the kind that its parent refers to, that keys are in order, and
// that each page is in use once or free, not both. txid is that of a read transaction which is open meanwhile. stop is
// called now and then; its error ends the check. Check returns the number of pages.
func Check(file io.ReaderAt, pageSize int, txid uint64, stop func() error) (pages uint64, err error) {
	w := walk{file: file, pageSize: uint64(pageSize), stop: stop}
	root, freelist, err := w.meta(txid)
	if errors.Is(err, ErrSnapshotGone) {
		return 0, err
	}
	if err == nil {
		w.mark(0, 2) // the two heads
		err = w.tree(root, 0, nil, nil)
	}
	if err == nil {
		err = w.free(freelist, func(id uint64) error {
			if !w.mark(id, 1) {
				return fmt.Errorf("page %d is free and in use, or lies beyond the end", id)
			}
			return nil
		})
	}
	if err == nil && w.pages != w.top {
		err = fmt.Errorf("%d of %d pages are neither free nor in use", w.top-w.pages, w.top)
	}
	return w.pages, err
}

// Branches checks that no branch page of a snapshot is below itself. bbolt follows branch pages without counting:
// in a circle it would go on until there is no memory left. txid is that of a read transaction which is open
// meanwhile.
//
// It reads the list of free pages, the branch pages, some hundredths of the file, and the first page below each. All pages
// below a branch are of one level, so where the first one is a leaf the others are not read, but those that are free: they
// may be old branches. What is left is a page that overflows from another and looks like a branch.
func Branches(file io.ReaderAt, pageSize int, txid uint64) error {
	w := walk{file: file, pageSize: uint64(pageSize), stop: func() error { return nil }}
	root, freelist, err := w.meta(txid)
	if err == nil {
		_, err = w.branches(root, 0, true)
	}
	if err != nil {
		return err
	}
	free := walk{top: w.top, seen: make([]uint64, len(w.seen))}
	err = w.free(freelist, func(id uint64) error {
		free.mark(id, 1)
		return nil
	})
	for _, id := range w.leaves {
		leaf := err == nil && id < w.top && !w.has(id)
		if leaf && free.has(id) {
			leaf, err = w.isLeaf(id)
		}
		if err == nil && !leaf {
			err = fmt.Errorf("page %d is no leaf as its neighbours are, or lies beyond the end", id)
		}
	}
	return err
}

// Free returns how many pages of a snapshot are free.
func Free(file io.ReaderAt, pageSize int, txid uint64) (n uint64, err error) {
	w := walk{file: file, pageSize: uint64(pageSize)}
	_, list, err := w.meta(txid)
	if err != nil {
		return 0, err
	}
	head := make([]byte, pageHead+8)
	if _, err := file.ReadAt(head, int64(list*w.pageSize)); err != nil {
		return 0, err
	}
	n = uint64(binary.NativeEndian.Uint16(head[10:]))
	if n == manyIDs {
		n = binary.NativeEndian.Uint64(head[pageHead:])
	}
	return n, nil
}

// walk is a walk through the pages of one snapshot.
type walk struct {
	file     io.ReaderAt
	pageSize uint64
	top      uint64   // the first page that is not in use
	seen     []uint64 // a bit for each page
	pages    uint64   // that were seen
	leaves   []uint64 // that branches did not read
	reads    int
	stop     func() error
}

// meta reads the head of the snapshot of that transaction.
func (w *walk) meta(txid uint64) (root, freelist uint64, err error) {
	raw := make([]byte, pageHead+64)
	for page := range uint64(2) {
		if _, err := w.file.ReadAt(raw, int64(page*w.pageSize)); err != nil {
			return 0, 0, err
		}
		m := raw[pageHead:]
		if binary.NativeEndian.Uint32(m) != metaMagic || binary.NativeEndian.Uint32(m[4:]) != metaVersion ||
			binary.NativeEndian.Uint64(m[48:]) != txid {
			continue
		}
		sum := fnv.New64a()
		sum.Write(m[:56])
		if sum.Sum64() != binary.NativeEndian.Uint64(m[56:]) {
			continue
		}
		w.top = binary.NativeEndian.Uint64(m[40:])
		w.seen = make([]uint64, w.top/64+1)
		return binary.NativeEndian.Uint64(m[16:]), binary.NativeEndian.Uint64(m[32:]), nil
	}
	return 0, 0, ErrSnapshotGone
}

// mark takes n pages as seen; false where one was before, or is none of the snapshot.
func (w *walk) mark(id, n uint64) bool {
	if id >= w.top || n > w.top-id {
		return false
	}
	for ; n > 0; id, n = id+1, n-1 {
		if w.has(id) {
			return false
		}
		w.seen[id/64] |= 1 << (id % 64)
		w.pages++
	}
	return true
}

func (w *walk) has(id uint64) bool { return w.seen[id/64]&(1<<(id%64)) != 0 }

// isLeaf reads the head of a page.
func (w *walk) isLeaf(id uint64) (bool, error) {
	head := make([]byte, pageHead)
	if _, err := w.file.ReadAt(head, int64(id*w.pageSize)); err != nil {
		return false, fmt.Errorf("page %d: %w", id, err)
	}
	return binary.NativeEndian.Uint16(head[8:]) == leafPage, nil
}

// page is a page with those that overflow from it.
type page struct {
	id    uint64
	raw   []byte
	flags uint16
	count int // of its elements
}

// read reads a page and marks it.
func (w *walk) read(id uint64) (p page, err error) {
	if w.reads%1024 == 0 {
		if err := w.stop(); err != nil {
			return p, err
		}
	}
	w.reads++
	raw := make([]byte, w.pageSize)
	if _, err := w.file.ReadAt(raw, int64(id*w.pageSize)); err != nil {
		return p, fmt.Errorf("page %d: %w", id, err)
	}
	if got := binary.NativeEndian.Uint64(raw); got != id {
		return p, fmt.Errorf("page %d calls itself %d", id, got)
	}
	size := 1 + uint64(binary.NativeEndian.Uint32(raw[12:]))
	if !w.mark(id, size) {
		return p, fmt.Errorf("page %d is in use twice, or lies beyond the end", id)
	}
	if size > 1 {
		raw = make([]byte, size*w.pageSize)
		if _, err := w.file.ReadAt(raw, int64(id*w.pageSize)); err != nil {
			return p, fmt.Errorf("page %d: %w", id, err)
		}
	}
	return page{id, raw, binary.NativeEndian.Uint16(raw[8:]), int(binary.NativeEndian.Uint16(raw[10:]))}, nil
}

// readNode reads a page of a tree.
func (w *walk) readNode(id uint64, depth int) (page, error) {
	if depth > maxDepth {
		return page{}, fmt.Errorf("page %d is more than %d levels deep", id, maxDepth)
	}
	p, err := w.read(id)
	if err == nil && (p.flags != branchPage && p.flags != leafPage || pageHead+p.count*elementSize > len(p.raw)) {
		err = fmt.Errorf("page %d is neither a branch nor a leaf", id)
	}
	return p, err
}

// child returns the page below an element of a branch.
func (p page) child(i int) uint64 {
	return binary.NativeEndian.Uint64(p.raw[pageHead+i*elementSize+8:])
}

// element returns the key of an element, and of a leaf the value.
func (p page) element(i int) (key, value []byte, err error) {
	at := pageHead + i*elementSize
	var fields [4]uint64
	for f := range fields {
		fields[f] = uint64(binary.NativeEndian.Uint32(p.raw[at+4*f:]))
	}
	begin, size, extra := uint64(at)+fields[0], fields[1], uint64(0)
	if p.flags == leafPage {
		begin, size, extra = uint64(at)+fields[1], fields[2], fields[3]
	}
	if begin+size+extra > uint64(len(p.raw)) {
		return nil, nil, fmt.Errorf("page %d: an element lies outside", p.id)
	}
	return p.raw[begin : begin+size], p.raw[begin+size : begin+size+extra], nil
}

// bucket returns the page at the top of the bucket that is an element of a leaf; 0: it is none, or all in the value itself.
func (p page) bucket(i int) (root uint64, err error) {
	if binary.NativeEndian.Uint32(p.raw[pageHead+i*elementSize:])&bucketEntry == 0 {
		return 0, nil
	}
	key, value, err := p.element(i)
	if err == nil && len(value) < 16 {
		err = fmt.Errorf("page %d: bucket %q is cut short", p.id, key)
	}
	if err != nil {
		return 0, err
	}
	return binary.NativeEndian.Uint64(value), nil
}

// branches walks the branch pages from id on, and adds the pages below the last of them to leaves. In the tree of
// buckets it reads the leaves too, and goes on in each bucket. leaf reports that the page is one that was not read.
func (w *walk) branches(id uint64, depth int, ofBuckets bool) (leaf bool, err error) {
	if !ofBuckets {
		leaf, err = w.isLeaf(id)
	}
	if leaf || err != nil {
		w.leaves = append(w.leaves, id)
		return leaf, err
	}
	p, err := w.readNode(id, depth)
	aboveLeaves := false
	for i := 0; i < p.count && err == nil; i++ {
		switch {
		case p.flags == leafPage:
			var root uint64
			if root, err = p.bucket(i); err == nil && root != 0 {
				_, err = w.branches(root, depth+1, false)
			}
		case aboveLeaves:
			w.leaves = append(w.leaves, p.child(i))
		default:
			leaf, err = w.branches(p.child(i), depth+1, ofBuckets)
			aboveLeaves = i == 0 && leaf
		}
	}
	return false, err
}

// tree checks the page and all below it. Their keys are at least low and below high; nil is no bound.
func (w *walk) tree(id uint64, depth int, low, high []byte) error {
	p, err := w.readNode(id, depth)
	if err != nil {
		return err
	}
	keys := make([][]byte, p.count+1)
	keys[p.count] = high
	for i := range p.count {
		if keys[i], _, err = p.element(i); err != nil {
			return err
		}
		if i == 0 && bytes.Compare(keys[0], low) < 0 || i > 0 && bytes.Compare(keys[i-1], keys[i]) >= 0 ||
			high != nil && bytes.Compare(keys[i], high) >= 0 {
			return fmt.Errorf("page %d: its keys are out of order", id)
		}
	}
	for i := range p.count {
		if p.flags == branchPage {
			if err := w.tree(p.child(i), depth+1, keys[i], keys[i+1]); err != nil {
				return err
			}
			continue
		}
		root, err := p.bucket(i)
		if err == nil && root != 0 {
			err = w.tree(root, depth+1, nil, nil)
		}
		if err != nil {
			return fmt.Errorf("bucket %q: %w", keys[i], err)
		}
	}
	return nil
}

// free reads the list of free pages.
func (w *walk) free(list uint64, visit func(id uint64) error) error {
	p, err := w.read(list)
	if err != nil {
		return err
	}
	if p.flags != freelistPage {
		return fmt.Errorf("page %d is not the list of free pages", list)
	}
	count, ids := uint64(p.count), p.raw[pageHead:]
	if count == manyIDs {
		count, ids = binary.NativeEndian.Uint64(ids), ids[8:]
	}
	if count > uint64(len(ids))/8 {
		return fmt.Errorf("page %d: the list of free pages is cut short", list)
	}
	for i := range count {
		if err := visit(binary.NativeEndian.Uint64(ids[8*i:])); err != nil {
			return err
		}
	}
	return nil
}
