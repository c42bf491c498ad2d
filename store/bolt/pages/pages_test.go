package pages

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"go.etcd.io/bbolt"
)

const pageSize = 1024

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// image is the bytes of a file and its last transaction.
type image struct {
	raw  []byte
	txid uint64
}

// made returns a file with a tree of three levels, a bucket in its parent's page, a record that overflows its page, and free
// pages.
func made(t testing.TB) image {
	t.Helper()
	path := filepath.Join(t.TempDir(), "db")
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{PageSize: pageSize, NoSync: true})
	must(t, err)
	must(t, db.Update(func(tx *bbolt.Tx) error {
		big, err := tx.CreateBucket([]byte("big"))
		must(t, err)
		for i := range 3000 {
			must(t, big.Put(fmt.Appendf(nil, "key-%06d", i), bytes.Repeat([]byte{'v'}, 40)))
		}
		must(t, big.Put([]byte("overflow"), bytes.Repeat([]byte{'o'}, 5*pageSize)))
		small, err := tx.CreateBucket([]byte("small"))
		must(t, err)
		return small.Put([]byte("a"), []byte("b"))
	}))
	must(t, db.Update(func(tx *bbolt.Tx) error {
		for i := range 1000 {
			must(t, tx.Bucket([]byte("big")).Delete(fmt.Appendf(nil, "key-%06d", i)))
		}
		return nil
	}))
	var im image
	must(t, db.View(func(tx *bbolt.Tx) error {
		im.txid = uint64(tx.ID())
		return nil
	}))
	must(t, db.Close())
	im.raw, err = os.ReadFile(path)
	must(t, err)
	return im
}

func (im image) clone() image { return image{slices.Clone(im.raw), im.txid} }

func (im image) page(id uint64) []byte { return im.raw[id*pageSize:] }

func (im image) flags(id uint64) uint16 { return binary.NativeEndian.Uint16(im.page(id)[8:]) }

func (im image) setChild(id uint64, i int, child uint64) {
	binary.NativeEndian.PutUint64(im.page(id)[pageHead+i*elementSize+8:], child)
}

// shape is where the parts of an image are.
type shape struct {
	buckets        uint64 // the page of the buckets
	top            uint64 // of the large bucket
	middle         uint64 // a branch above leaves
	leaves         []uint64
	freelist, free uint64 // the list, and one page on it
}

func (im image) shape(t testing.TB) (s shape) {
	t.Helper()
	w := walk{file: bytes.NewReader(im.raw), pageSize: pageSize, stop: func() error { return nil }}
	var err error
	s.buckets, s.freelist, err = w.meta(im.txid)
	must(t, err)
	p, err := w.readNode(s.buckets, 0)
	must(t, err)
	s.top, err = p.bucket(0)
	must(t, err)
	top, err := w.readNode(s.top, 0)
	must(t, err)
	s.middle = top.child(0)
	middle, err := w.readNode(s.middle, 0)
	must(t, err)
	for i := range middle.count {
		s.leaves = append(s.leaves, middle.child(i))
	}
	if top.flags != branchPage || middle.flags != branchPage || im.flags(s.leaves[1]) != leafPage {
		t.Fatal("the tree does not have three levels")
	}
	list, err := w.read(s.freelist)
	must(t, err)
	s.free = binary.NativeEndian.Uint64(list.raw[pageHead:])
	return s
}

func (im image) check() error {
	_, err := Check(bytes.NewReader(im.raw), pageSize, im.txid, func() error { return nil })
	return err
}

func (im image) branches() error { return Branches(bytes.NewReader(im.raw), pageSize, im.txid) }

func TestGoodFile(t *testing.T) {
	im := made(t)
	must(t, im.branches())
	n, err := Check(bytes.NewReader(im.raw), pageSize, im.txid, func() error { return nil })
	if err != nil || n < 200 || n*pageSize > uint64(len(im.raw)) {
		t.Errorf("got %d pages, %v of a file of %d bytes", n, err, len(im.raw))
	}
	free, err := Free(bytes.NewReader(im.raw), pageSize, im.txid)
	if err != nil || free < 50 || free > n {
		t.Errorf("got %d free pages of %d, %v", free, n, err)
	}
}

// TestDamage: each fault is found by Check, and by Branches those that bbolt does not survive.
func TestDamage(t *testing.T) {
	good := made(t)
	at := good.shape(t)
	for _, c := range []struct {
		name     string
		spoil    func(im image)
		want     string // in the error of Check
		branches string // in the error of Branches; empty: it finds nothing
	}{
		{"a branch below itself", func(im image) { im.setChild(at.middle, 1, at.middle) }, "in use twice", "no leaf"},
		{"a branch below itself, first", func(im image) { im.setChild(at.middle, 0, at.middle) }, "in use twice", "in use twice"},
		{"the top below the bottom", func(im image) { im.setChild(at.middle, 2, at.top) }, "in use twice", "no leaf"},
		{"an old branch among leaves", func(im image) {
			copy(im.page(at.free)[:pageSize], im.page(at.middle)[:pageSize])
			binary.NativeEndian.PutUint64(im.page(at.free), at.free)
			im.setChild(at.free, 0, at.top)
			im.setChild(at.middle, 1, at.free)
		}, "out of order", "no leaf"},
		{"a page beyond the end", func(im image) { im.setChild(at.middle, 1, 1<<40) }, "page 1099511627776", "beyond the end"},
		{"a page that is of no tree", func(im image) { im.setChild(at.top, 0, at.freelist) }, "neither a branch nor a leaf", "neither a branch nor a leaf"},
		{"a page with another number", func(im image) { binary.NativeEndian.PutUint64(im.page(at.middle), 9) }, "calls itself 9", "calls itself 9"},
		{"two parents of a leaf", func(im image) { im.setChild(at.middle, 1, at.leaves[0]) }, "in use twice", ""},
		{"a branch that is free", func(im image) { binary.NativeEndian.PutUint64(im.page(at.freelist)[pageHead:], at.middle) },
			"free and in use", ""},
		{"a leaf that is free", func(im image) { binary.NativeEndian.PutUint64(im.page(at.freelist)[pageHead:], at.leaves[1]) },
			"free and in use", ""},
		{"a lost page", func(im image) {
			list := im.page(at.freelist)
			binary.NativeEndian.PutUint16(list[10:], binary.NativeEndian.Uint16(list[10:])-1)
		}, "neither free nor in use", ""},
		{"a list of free pages that is too long", func(im image) { binary.NativeEndian.PutUint16(im.page(at.freelist)[10:], 60000) },
			"cut short", "cut short"},
		{"no list of free pages", func(im image) { binary.NativeEndian.PutUint16(im.page(at.freelist)[8:], leafPage) },
			"not the list of free pages", "not the list of free pages"},
		{"keys out of order", func(im image) {
			leaf := im.page(at.leaves[1])
			copy(leaf[bytes.Index(leaf, []byte("key")):], "yek")
		}, "out of order", ""},
		{"a key outside", func(im image) { binary.NativeEndian.PutUint32(im.page(at.leaves[1])[pageHead+4:], 1<<31) }, "lies outside", ""},
		{"more elements than a page has", func(im image) { binary.NativeEndian.PutUint16(im.page(at.top)[10:], 5000) },
			"neither a branch nor a leaf", "neither a branch nor a leaf"},
		{"a bucket that is cut short", func(im image) {
			element := im.page(at.buckets)[pageHead:]
			binary.NativeEndian.PutUint32(element[12:], 8)
		}, `bucket "big" is cut short`, `bucket "big" is cut short`},
	} {
		t.Run(c.name, func(t *testing.T) {
			im := good.clone()
			c.spoil(im)
			for what, got := range map[string]struct {
				err  error
				want string
			}{"Check": {im.check(), c.want}, "Branches": {im.branches(), c.branches}} {
				if got.want == "" && got.err != nil || got.want != "" && (got.err == nil || !strings.Contains(got.err.Error(), got.want)) {
					t.Errorf("%s: got %v, want %q", what, got.err, got.want)
				}
			}
		})
	}
}

// chain returns a file in which each of n branches has one page below it, the last a leaf.
func chain(n uint64) image {
	im := image{raw: make([]byte, (n+4)*pageSize), txid: 1}
	put := func(id uint64, flags, count uint16) []byte {
		p := im.page(id)
		binary.NativeEndian.PutUint64(p, id)
		binary.NativeEndian.PutUint16(p[8:], flags)
		binary.NativeEndian.PutUint16(p[10:], count)
		return p[pageHead:]
	}
	for id := uint64(3); id < n+3; id++ {
		element := put(id, branchPage, 1)
		binary.NativeEndian.PutUint32(element, elementSize) // an empty key behind the element
		binary.NativeEndian.PutUint64(element[8:], id+1)
	}
	put(n+3, leafPage, 0)
	put(2, freelistPage, 0)
	m := put(1, 4, 0)
	binary.NativeEndian.PutUint32(m, metaMagic)
	binary.NativeEndian.PutUint32(m[4:], metaVersion)
	binary.NativeEndian.PutUint64(m[16:], 3)
	binary.NativeEndian.PutUint64(m[32:], 2)
	binary.NativeEndian.PutUint64(m[40:], n+4)
	binary.NativeEndian.PutUint64(m[48:], im.txid)
	sum := fnv.New64a()
	sum.Write(m[:56])
	binary.NativeEndian.PutUint64(m[56:], sum.Sum64())
	return im
}

// TestDeepChain: a walk does not go as deep as a damaged file chains pages, and needs no memory for each.
func TestDeepChain(t *testing.T) {
	must(t, chain(maxDepth).branches())
	must(t, chain(maxDepth).check())
	deep := chain(50_000)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for what, err := range map[string]error{"Branches": deep.branches(), "Check": deep.check()} {
		if err == nil || !strings.Contains(err.Error(), "levels deep") {
			t.Errorf("%s: got %v, want the depth", what, err)
		}
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
		t.Errorf("%d bytes were allocated", n)
	}
}

func TestSnapshotGone(t *testing.T) {
	im := made(t)
	im.txid += 2
	if err := im.check(); !errors.Is(err, ErrSnapshotGone) {
		t.Errorf("Check: got %v, want ErrSnapshotGone", err)
	}
	if err := im.branches(); !errors.Is(err, ErrSnapshotGone) {
		t.Errorf("Branches: got %v, want ErrSnapshotGone", err)
	}
}

func TestStop(t *testing.T) {
	im := made(t)
	stopped := errors.New("stopped")
	if _, err := Check(bytes.NewReader(im.raw), pageSize, im.txid, func() error { return stopped }); !errors.Is(err, stopped) {
		t.Errorf("got %v, want the error of stop", err)
	}
}

// TestManyFreePages: above 65,534 free pages their count is in another place.
func TestManyFreePages(t *testing.T) {
	const n = 70_000
	im := chain(1)
	// The leaf goes, the list takes its place and overflows.
	size := uint64((pageHead + 8*(n+1) + pageSize - 1) / pageSize)
	im.raw = append(im.raw[:4*pageSize], make([]byte, (size+n)*pageSize)...)
	list := im.page(4)
	binary.NativeEndian.PutUint64(list, 4)
	binary.NativeEndian.PutUint16(list[8:], freelistPage)
	binary.NativeEndian.PutUint16(list[10:], manyIDs)
	binary.NativeEndian.PutUint32(list[12:], uint32(size-1))
	binary.NativeEndian.PutUint64(list[pageHead:], n)
	for i := range uint64(n) {
		binary.NativeEndian.PutUint64(list[pageHead+8*(i+1):], 4+size+i)
	}
	binary.NativeEndian.PutUint16(im.page(3)[8:], leafPage)
	binary.NativeEndian.PutUint16(im.page(3)[10:], 0)
	m := im.page(1)[pageHead:]
	binary.NativeEndian.PutUint64(m[32:], 4)
	binary.NativeEndian.PutUint64(m[40:], 4+size+n)
	sum := fnv.New64a()
	sum.Write(m[:56])
	binary.NativeEndian.PutUint64(m[56:], sum.Sum64())
	if free, err := Free(bytes.NewReader(im.raw), pageSize, im.txid); err != nil || free != n {
		t.Errorf("got %d free pages, %v, want %d", free, err, n)
	}
	if err := im.branches(); err != nil {
		t.Errorf("Branches: %v", err)
	}
	if err := im.check(); err == nil || !strings.Contains(err.Error(), "1 of") { // page 2, the old list
		t.Errorf("Check: got %v, want the one page that is nowhere", err)
	}
}

// FuzzWalk: no bytes make a walk panic, and what Check accepts Branches accepts.
func FuzzWalk(f *testing.F) {
	good := made(f)
	at := good.shape(f)
	f.Add(uint32(at.middle*pageSize+pageHead+8), []byte{byte(at.middle)})
	f.Add(uint32(at.freelist*pageSize+10), []byte{0xff, 0xff})
	f.Add(uint32(at.buckets*pageSize+pageHead), []byte{1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, offset uint32, with []byte) {
		im := good.clone()
		copy(im.raw[int(offset)%len(im.raw):], with)
		_, _ = Free(bytes.NewReader(im.raw), pageSize, im.txid)
		if checked, walked := im.check(), im.branches(); checked == nil && walked != nil {
			t.Errorf("Check accepts what Branches refuses: %v", walked)
		}
	})
}
