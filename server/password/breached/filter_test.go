package breached

import (
	"bytes"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// dump is the input for n random hashes and for the passwords, in order.
func dump(n int, passwords ...string) []byte {
	random := rand.New(rand.NewPCG(1, 2))
	var list [][sha1.Size]byte
	for range n {
		var h [sha1.Size]byte
		for i := 0; i < len(h); i += 4 {
			binary.BigEndian.PutUint32(h[i:], random.Uint32())
		}
		list = append(list, h)
	}
	for _, p := range passwords {
		list = append(list, sha1.Sum([]byte(p)))
	}
	slices.SortFunc(list, func(a, b [sha1.Size]byte) int { return bytes.Compare(a[:], b[:]) })
	var out bytes.Buffer
	for i, h := range list {
		fmt.Fprintf(&out, "%X:%d\r\n", h, i)
	}
	return out.Bytes()
}

func build(t testing.TB, in io.Reader) (string, Built) {
	t.Helper()
	return buildWith(t, in, filterKeys)
}

func buildWith(t testing.TB, in io.Reader, size int) (string, Built) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "breached")
	built, err := buildFilters(in, path, size, nil)
	if err != nil {
		t.Fatal(err)
	}
	return path, built
}

func open(t testing.TB, path string) *Filter {
	t.Helper()
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func contains(t testing.TB, f *Filter, password string) bool {
	t.Helper()
	found, err := f.Contains(password)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// Every password of the input is found, others hardly ever, and the file is small.
func TestBuildAndLookUp(t *testing.T) {
	t.Parallel()
	n, size := 600_000, filterKeys
	if testing.Short() {
		n, size = n/16, size/16
	}
	in := dump(n, "correct horse battery", "Zürich könnte")
	path, built := buildWith(t, bytes.NewReader(in), size)
	if all := uint64(n) + 2; built.Hashes != all || built.Algorithm != SHA1 || built.Lines != all {
		t.Errorf("got %+v", built)
	}
	if each := float64(built.Bytes) / float64(n); each > 1.2 && !testing.Short() { // a small filter has more
		t.Errorf("got %.3f bytes for a hash, want at most 1.2", each)
	}
	if info, err := os.Stat(path); err != nil || info.Size() != built.Bytes {
		t.Errorf("got a file of %v, %v, want %d bytes", info, err, built.Bytes)
	}
	f := open(t, path)
	if f.Len() != built.Hashes || !contains(t, f, "correct horse battery") || !contains(t, f, "Zürich könnte") {
		t.Error("a password of the input was not found")
	}
	for i := 0; i < len(in); i += 44 * 50 { // about one line in fifty; lines have different lengths
		start := i + bytes.IndexByte(in[i:], '\n') + 1
		if start+40 > len(in) {
			break
		}
		key, err := strconv.ParseUint(string(in[start:start+16]), 16, 64)
		if err != nil {
			t.Fatal(err)
		}
		if found, err := f.containsKey(key); err != nil || !found {
			t.Fatalf("hash at byte %d: got %t, %v", start, found, err)
		}
	}
	wrong := 0
	const tries = 20_000
	for i := range tries {
		if contains(t, f, fmt.Sprint("not in there ", i)) {
			wrong++
		}
	}
	if rate := float64(wrong) / tries; rate > 1.0/160 || wrong == 0 {
		t.Errorf("got %.4f found by mistake, want about 1/256", rate)
	}
}

// Tests of builds that go on have two whole filters and a part of a third. The filters are small.
const (
	smallFilter = filterKeys / 16
	smallDump   = 600_000 / 16
)

// A build that was broken off anywhere goes on, and the file is the same.
func TestBuildGoesOn(t *testing.T) {
	t.Parallel()
	in := dump(smallDump)
	whole, _ := buildWith(t, bytes.NewReader(in), smallFilter)
	want, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "breached")
	gone := errors.New("gone")
	if _, err := buildFilters(io.MultiReader(bytes.NewReader(in[:len(in)*2/3]), failing{gone}), path, smallFilter, nil); !errors.Is(err, gone) {
		t.Fatalf("got %v, want the reader's error", err)
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("an unfinished file has the name of a finished one: %v", err)
	}
	partial, err := os.ReadFile(path + partialSuffix)
	if err != nil {
		t.Fatal(err)
	}
	for _, cut := range []int{len(partial), len(partial) / 2, len(partial) - 1, headerSize + 3, headerSize, 3, 0} {
		if err := os.WriteFile(path+partialSuffix, partial[:cut], 0o644); err != nil {
			t.Fatal(err)
		}
		built, err := buildFilters(bytes.NewReader(in), path, smallFilter, nil)
		if err != nil || built.Hashes != smallDump || (built.Resumed > 0) != (cut == len(partial)) {
			t.Errorf("cut at %d: got %+v, %v", cut, built, err)
		}
		if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
			t.Errorf("cut at %d: the file is not the same: %d bytes, %v", cut, len(got), err)
		}
	}
	partial[len(partial)-5] ^= 1 // a filter that is damaged is written again
	if err := os.WriteFile(path+partialSuffix, partial, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := buildFilters(bytes.NewReader(in), path, smallFilter, nil); err != nil {
		t.Error(err)
	}
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
		t.Errorf("after damage: the file is not the same: %v", err)
	}
}

// An unfinished file of another input does not get into the new one, from the first hash that differs.
func TestBuildGoesOnWithAnotherInput(t *testing.T) {
	t.Parallel()
	first := dump(smallDump, "only in the first")
	gone := errors.New("gone")
	lines := bytes.SplitAfter(first, []byte("\n"))
	for name, tc := range map[string]struct {
		in      []byte
		resumed uint64
	}{
		"another dump":             {dump(smallDump, "only in the second", "and this"), 0},
		"one hash of the rest":     {bytes.Join(append(append([][]byte{}, lines[:smallDump/2]...), lines[smallDump/2+1:]...), nil), smallFilter},
		"one with fewer hashes":    {bytes.Join(lines[:smallDump/2], nil), smallFilter},
		"one with a single hash":   {lines[0], 0},
		"a hash replaced in place": {bytes.Replace(first, lines[1000][:40], append(bytes.Clone(lines[1000][:15]), lines[1001][15:40]...), 1), 0},
	} {
		want, _ := buildWith(t, bytes.NewReader(tc.in), smallFilter)
		path := filepath.Join(t.TempDir(), "breached")
		if _, err := buildFilters(io.MultiReader(bytes.NewReader(first[:len(first)*95/100]), failing{gone}), path, smallFilter, nil); !errors.Is(err, gone) {
			t.Fatalf("got %v, want the reader's error", err)
		}
		built, err := buildFilters(bytes.NewReader(tc.in), path, smallFilter, nil)
		if name == "a hash replaced in place" {
			// It may be found in the old filter by mistake; then it is found in the new one.
			if f := open(t, path); err != nil || !found(t, f, lines[1000][:15], lines[1001][15:16]) {
				t.Errorf("%s: a hash of the input was not found: %v", name, err)
			}
			continue
		}
		if err != nil || built.Resumed != tc.resumed {
			t.Errorf("%s: got %+v, %v, want %d hashes kept", name, built, err, tc.resumed)
		}
		a, errA := os.ReadFile(path)
		b, errB := os.ReadFile(want)
		if errA != nil || errB != nil || !bytes.Equal(a, b) {
			t.Errorf("%s: the file is not that of the input alone: %v, %v", name, errA, errB)
		}
	}
}

func found(t *testing.T, f *Filter, digits ...[]byte) bool {
	t.Helper()
	key, err := strconv.ParseUint(string(bytes.Join(digits, nil)), 16, 64)
	if err != nil {
		t.Fatal(err)
	}
	is, err := f.containsKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return is
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestNTLM(t *testing.T) {
	// "password" and "Zürich könnte", by Samba's and Python's MD4 of UTF-16.
	path, built := build(t, strings.NewReader("8846F7EAEE8FB117AD06BDD830B7586C:3\n8846f7eaee8fb117ad06bdd830b7586c\n"))
	if built.Algorithm != NTLM || built.Hashes != 1 {
		t.Errorf("got %+v", built)
	}
	if f := open(t, path); !contains(t, f, "password") || contains(t, f, "Password") {
		t.Error("the wrong one was found")
	}
}

func TestBuildRefuses(t *testing.T) {
	const a, b = "00000000000000000000000000000000000000AA", "11000000000000000000000000000000000000AA"
	for name, row := range map[string][2]string{
		"nothing":          {"", "empty"},
		"passwords":        {"hunter2\n", "line 1 is not HASH:count"},
		"not in order":     {b + ":1\n" + a + ":1\n", "line 2 is not in order"},
		"ordered by count": {b + ":900\n" + a + ":800\n", "sorted by hash"},
		"another kind":     {a + "\n" + b[:32] + "\n", "line 2 has another kind"},
		"a digit short":    {a[1:] + ":1\n", "line 1 is not HASH:count"},
		"a digit more":     {a + "0:1\n", "line 1 is not HASH:count"},
		"not hexadecimal":  {"G" + a[1:] + "\n", "line 1 is not HASH:count"},
		"an empty line":    {a + "\n\n" + b + "\n", "line 2 is not HASH:count"},
		"UTF-16":           {"\xff\xfe0\x000\x00", "line 1 is not HASH:count"},
		"one long line":    {strings.Repeat("A", 2<<20), "line 1 is longer"},
		"gzip":             {"\x1f\x8b\x08\x00", "line 1 is not HASH:count"},
	} {
		path := filepath.Join(t.TempDir(), "breached")
		if _, err := Build(strings.NewReader(row[0]), path, nil); err == nil || !strings.Contains(err.Error(), row[1]) {
			t.Errorf("%s: got %v, want %q", name, err, row[1])
		}
		if _, err := os.Stat(path); !os.IsNotExist(err) {
			t.Errorf("%s: there is a file", name)
		}
	}
	// A file that is not ours is left alone.
	path := filepath.Join(t.TempDir(), "breached")
	if err := os.WriteFile(path+partialSuffix, []byte("something else, and quite long"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Build(strings.NewReader(a+"\n"), path, nil); err == nil || !strings.Contains(err.Error(), "delete it") {
		t.Errorf("another file in the way: got %v", err)
	}
}

// Damage is an error, at the start or when the place is looked at, and never an answer.
func TestDamagedFile(t *testing.T) {
	path, _ := build(t, bytes.NewReader(dump(5000, "correct horse battery")))
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for at := 0; at < len(good); at += 1 + at/20 {
		bad := bytes.Clone(good)
		bad[at] ^= 0x10
		f, err := newFilter(bytes.NewReader(bad), int64(len(bad)))
		if err != nil {
			continue
		}
		if found, err := f.Contains("correct horse battery"); err == nil && !found {
			t.Errorf("byte %d: a password of the input was not found, without an error", at)
		}
	}
	for cut := range len(good) / 100 {
		if _, err := newFilter(bytes.NewReader(good[:cut*100]), int64(cut*100)); err == nil {
			t.Errorf("cut at %d: opened", cut*100)
		}
	}
}

// FuzzOpen: whatever the file is, it is refused or can be looked at, and nothing panics.
func FuzzOpen(f *testing.F) {
	path, _ := build(f, bytes.NewReader(dump(300)))
	good, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good[:100])
	f.Fuzz(func(t *testing.T, file []byte) {
		filter, err := newFilter(bytes.NewReader(file), int64(len(file)))
		if err != nil {
			return
		}
		for _, s := range filter.sections {
			filter.containsKey(s.first)
			fingerprints, err := s.read(filter.file, nil)
			if err == nil {
				s.contains(s.first, fingerprints) // as if the checksum were right
			}
		}
	})
}

// FuzzBuild: whatever the input is, what is accepted is found again.
func FuzzBuild(f *testing.F) {
	f.Add([]byte("8846F7EAEE8FB117AD06BDD830B7586C:3\r\n"))
	f.Add(dump(3))
	f.Fuzz(func(t *testing.T, in []byte) {
		path := filepath.Join(t.TempDir(), "breached")
		if _, err := Build(bytes.NewReader(in), path, nil); err != nil {
			return
		}
		open(t, path)
	})
}

func BenchmarkBuild(b *testing.B) {
	in := dump(1_000_000)
	b.SetBytes(int64(len(in)))
	for b.Loop() {
		if _, err := Build(bytes.NewReader(in), filepath.Join(b.TempDir(), "breached"), nil); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkContains(b *testing.B) {
	path, _ := build(b, bytes.NewReader(dump(1_000_000)))
	f := open(b, path)
	for b.Loop() {
		contains(b, f, "correct horse battery")
	}
}
