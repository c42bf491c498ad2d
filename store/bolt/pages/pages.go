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
)

// structure is a walk through the pages of one snapshot.
type structure struct {
	file     io.ReaderAt
	pageSize uint64
	top      uint64   // the first page that is not in use
	seen     []uint64 // a bit for each page
	pages    uint64
	stop     func() error
}

// ErrSnapshotGone: two commits were made since the snapshot was taken, and its head was written over. There is a
// newer snapshot to check.
var ErrSnapshotGone = errors.New("the head of this snapshot was written over")

// Check checks that every page of a snapshot is of the kind that its parent refers to, that keys are in order, and
// that each page is in use once or free, not both. txid is that of a read transaction which is open meanwhile. stop is
// called now and then; its error ends the check. Check returns the number of pages.
func Check(file io.ReaderAt, pageSize int, txid uint64, stop func() error) (pages uint64, err error) {
	w := structure{file: file, pageSize: uint64(pageSize), stop: stop}
	root, freelist, err := w.meta(txid)
	if errors.Is(err, ErrSnapshotGone) {
		return 0, err
	}
	if err == nil {
		err = w.all(root, freelist)
	}
	return w.pages, err
}

// Branches checks that no branch page of a snapshot is below itself. bbolt follows branch pages without counting:
// in a circle it would go on until there is no memory left. txid is that of a read transaction which is open
// meanwhile.
//
// It reads the branch pages, some hundredths of the file, and the first page below each. All pages below a branch
// are of one level, so where the first one is a leaf the others are only compared with the branches that were found.
func Branches(file io.ReaderAt, pageSize int, txid uint64) error {
	w := structure{file: file, pageSize: uint64(pageSize), stop: func() error { return nil }}
	root, _, err := w.meta(txid)
	if err != nil {
		return err
	}
	var leaves []uint64
	if _, err := w.branches(root, true, &leaves); err != nil {
		return err
	}
	for _, id := range leaves {
		if id >= w.top || w.seen[id/64]&(1<<(id%64)) != 0 {
			return fmt.Errorf("page %d is a branch and a leaf, or lies beyond the end", id)
		}
	}
	return nil
}

// branches walks the branch pages from id on, and adds the pages below the last of them to leaves. In the tree of
// buckets it reads the leaves too, and goes on in each bucket. leaf reports that the page is one that was not read.
func (w *structure) branches(id uint64, ofBuckets bool, leaves *[]uint64) (leaf bool, err error) {
	raw := make([]byte, pageHead)
	if _, err := w.file.ReadAt(raw, int64(id*w.pageSize)); err != nil {
		return false, fmt.Errorf("page %d: %w", id, err)
	}
	flags := binary.NativeEndian.Uint16(raw[8:])
	if flags == leafPage && !ofBuckets {
		*leaves = append(*leaves, id)
		return true, nil
	}
	if raw, err = w.page(id); err != nil {
		return false, err
	}
	count := int(binary.NativeEndian.Uint16(raw[10:]))
	if flags != branchPage && flags != leafPage || pageHead+count*elementSize > len(raw) {
		return false, fmt.Errorf("page %d is neither a branch nor a leaf", id)
	}
	if flags == leafPage {
		return false, w.bucketRoots(id, raw, leaves)
	}
	aboveLeaves := false
	for i := range count {
		child := binary.NativeEndian.Uint64(raw[pageHead+i*elementSize+8:])
		if aboveLeaves {
			*leaves = append(*leaves, child)
			continue
		}
		leaf, err := w.branches(child, ofBuckets, leaves)
		if err != nil {
			return false, err
		}
		aboveLeaves = i == 0 && leaf
	}
	return false, nil
}

// bucketRoots goes on in the buckets that a leaf page names.
func (w *structure) bucketRoots(id uint64, raw []byte, leaves *[]uint64) error {
	for i := range int(binary.NativeEndian.Uint16(raw[10:])) {
		at := pageHead + i*elementSize
		element := raw[at:]
		if binary.NativeEndian.Uint32(element)&bucketEntry == 0 {
			continue
		}
		begin := uint64(at) + uint64(binary.NativeEndian.Uint32(element[4:])) + uint64(binary.NativeEndian.Uint32(element[8:]))
		if begin+16 > uint64(len(raw)) {
			return fmt.Errorf("page %d: an element lies outside", id)
		}
		if root := binary.NativeEndian.Uint64(raw[begin:]); root != 0 { // otherwise the bucket is in the value itself
			if _, err := w.branches(root, false, leaves); err != nil {
				return err
			}
		}
	}
	return nil
}

// Free returns how many pages of a snapshot are free.
func Free(file io.ReaderAt, pageSize int, txid uint64) (n uint64, err error) {
	w := structure{file: file, pageSize: uint64(pageSize)}
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

// meta reads the head of the snapshot of that transaction.
func (w *structure) meta(txid uint64) (root, freelist uint64, err error) {
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

func (w *structure) all(root, freelist uint64) error {
	w.mark(0, 2) // the two heads
	if err := w.tree(root, nil, nil); err != nil {
		return err
	}
	return w.free(freelist)
}

// mark takes n pages as seen; false where one was before, or is none of the snapshot.
func (w *structure) mark(id, n uint64) bool {
	if id >= w.top || n > w.top-id {
		return false
	}
	for ; n > 0; id, n = id+1, n-1 {
		if w.seen[id/64]&(1<<(id%64)) != 0 {
			return false
		}
		w.seen[id/64] |= 1 << (id % 64)
		w.pages++
	}
	return true
}

// page reads a page with what belongs to it.
func (w *structure) page(id uint64) (raw []byte, err error) {
	if w.pages%1024 == 0 {
		if err := w.stop(); err != nil {
			return nil, err
		}
	}
	head := make([]byte, w.pageSize)
	if _, err := w.file.ReadAt(head, int64(id*w.pageSize)); err != nil {
		return nil, fmt.Errorf("page %d: %w", id, err)
	}
	if got := binary.NativeEndian.Uint64(head); got != id {
		return nil, fmt.Errorf("page %d calls itself %d", id, got)
	}
	size := 1 + uint64(binary.NativeEndian.Uint32(head[12:]))
	if !w.mark(id, size) {
		return nil, fmt.Errorf("page %d is in use twice, or lies beyond the end", id)
	}
	if size == 1 {
		return head, nil
	}
	raw = make([]byte, size*w.pageSize)
	if _, err := w.file.ReadAt(raw, int64(id*w.pageSize)); err != nil {
		return nil, fmt.Errorf("page %d: %w", id, err)
	}
	return raw, nil
}

// tree checks the page and all below it. Their keys are at least low and below high; nil is no bound.
func (w *structure) tree(id uint64, low, high []byte) error {
	raw, err := w.page(id)
	if err != nil {
		return err
	}
	flags, count := binary.NativeEndian.Uint16(raw[8:]), int(binary.NativeEndian.Uint16(raw[10:]))
	if flags != branchPage && flags != leafPage || pageHead+count*elementSize > len(raw) {
		return fmt.Errorf("page %d is neither a branch nor a leaf", id)
	}
	keys := make([][]byte, count)
	for i := range count {
		at := pageHead + i*elementSize
		element := raw[at:]
		pos, size := binary.NativeEndian.Uint32(element), binary.NativeEndian.Uint32(element[4:])
		extra := uint32(0)
		if flags == leafPage {
			pos, size, extra = binary.NativeEndian.Uint32(element[4:]), binary.NativeEndian.Uint32(element[8:]), binary.NativeEndian.Uint32(element[12:])
		}
		begin := uint64(at) + uint64(pos)
		if begin+uint64(size)+uint64(extra) > uint64(len(raw)) {
			return fmt.Errorf("page %d: an element lies outside", id)
		}
		keys[i] = raw[begin : begin+uint64(size)]
		if i > 0 && bytes.Compare(keys[i-1], keys[i]) >= 0 || i == 0 && low != nil && bytes.Compare(keys[0], low) < 0 {
			return fmt.Errorf("page %d: its keys are out of order", id)
		}
		if high != nil && bytes.Compare(keys[i], high) >= 0 {
			return fmt.Errorf("page %d: its keys are out of order", id)
		}
		if flags == leafPage && binary.NativeEndian.Uint32(element)&bucketEntry != 0 {
			value := raw[begin+uint64(size) : begin+uint64(size)+uint64(extra)]
			if len(value) < 16 {
				return fmt.Errorf("page %d: bucket %q is cut short", id, keys[i])
			}
			if root := binary.NativeEndian.Uint64(value); root != 0 { // otherwise the bucket is in the value itself
				if err := w.tree(root, nil, nil); err != nil {
					return fmt.Errorf("bucket %q: %w", keys[i], err)
				}
			}
		}
	}
	if flags == leafPage {
		return nil
	}
	for i, key := range keys {
		until := high
		if i+1 < count {
			until = keys[i+1]
		}
		child := binary.NativeEndian.Uint64(raw[pageHead+i*elementSize+8:])
		if err := w.tree(child, key, until); err != nil {
			return err
		}
	}
	return nil
}

// free checks that what is free is not in use, and that nothing is neither.
func (w *structure) free(id uint64) error {
	raw, err := w.page(id)
	if err != nil {
		return err
	}
	if binary.NativeEndian.Uint16(raw[8:]) != freelistPage {
		return fmt.Errorf("page %d is not the list of free pages", id)
	}
	count, ids := uint64(binary.NativeEndian.Uint16(raw[10:])), raw[pageHead:]
	if count == manyIDs {
		count, ids = binary.NativeEndian.Uint64(ids), ids[8:]
	}
	if count > uint64(len(ids))/8 {
		return fmt.Errorf("page %d: the list of free pages is cut short", id)
	}
	for i := range count {
		if free := binary.NativeEndian.Uint64(ids[8*i:]); !w.mark(free, 1) {
			return fmt.Errorf("page %d is free and in use, or lies beyond the end", free)
		}
	}
	if w.pages != w.top {
		return fmt.Errorf("%d of %d pages are neither free nor in use", w.top-w.pages, w.top)
	}
	return nil
}
