package content

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// open returns a store in a directory of its own.
func open(t testing.TB, o Options) *Store {
	t.Helper()
	s, err := Open(filepath.Join(t.TempDir(), "content"), o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// read returns the octets of an object.
func read(t interface{ Fatal(...any) }, s *Store, hash [32]byte) []byte {
	r, err := s.Open(hash)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	p, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// files returns the files below the directory of a store.
func files(t testing.TB, s *Store) (found []string) {
	t.Helper()
	err := filepath.WalkDir(s.dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			found = append(found, strings.TrimPrefix(path, s.dir+"/"))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// noise returns octets that do not shrink.
func noise(n int) []byte {
	p := make([]byte, n)
	r := rand.NewChaCha8([32]byte{1})
	r.Read(p)
	return p
}

// TestKept: objects of all sizes come back as they were, once each.
func TestKept(t *testing.T) {
	s := open(t, Options{})
	for _, n := range []int{0, 1, 100, piece - 1, piece, piece + 1, 3*piece + 77} {
		for name, all := range map[string][]byte{"noise": noise(n), "text": bytes.Repeat([]byte("clear "), n/6+1)[:n]} {
			for range 2 {
				o := s.New(true)
				for p := range slices.Chunk(all, 10_000) {
					o.Write(p)
				}
				e := o.End()
				if e.Err != nil || e.Hash != sha256.Sum256(all) || e.Size != uint64(n) || e.Stored == 0 || len(e.Holes) > 0 || e.Cut {
					t.Fatalf("%s of %d octets: %+v", name, n, e)
				}
				if !bytes.Equal(read(t, s, e.Hash), all) {
					t.Fatalf("%s of %d octets is another", name, n)
				}
				if name == "text" && n > 1000 && e.Stored > uint64(n)/2 {
					t.Errorf("text of %d octets takes %d on disk", n, e.Stored)
				}
			}
		}
	}
	found := files(t, s)
	if len(found) != 13 { // the empty object is one, and so is that of one octet only by chance
		t.Errorf("%d files: %q", len(found), found)
	}
	if s.held.Load() != 0 {
		t.Errorf("%d octets are held", s.held.Load())
	}
}

// TestHoles: what is lost reads as zeros, and takes no space.
func TestHoles(t *testing.T) {
	s := open(t, Options{})
	o := s.New(true)
	all := noise(2 * piece)
	o.Write(all[:piece+5])
	o.Hole(5 << 20)
	o.Hole(1)
	o.Write(all[piece+5:])
	e := o.End()
	want := slices.Concat(all[:piece+5], make([]byte, 5<<20+1), all[piece+5:])
	if e.Err != nil || e.Hash != sha256.Sum256(want) || !slices.Equal(e.Holes, []Hole{{piece + 5, 5<<20 + 1}}) {
		t.Fatalf("%x, %v, %v", e.Hash, e.Holes, e.Err)
	}
	if !bytes.Equal(read(t, s, e.Hash), want) {
		t.Error("the object is another")
	}
}

// TestBoundOfHoles: a gap costs no more than its bound.
func TestBoundOfHoles(t *testing.T) {
	s := open(t, Options{Size: 1 << 20})
	o := s.New(true)
	o.Hole(1 << 62)
	o.Hole(1 << 62)
	o.Write([]byte("more"))
	o.WriteAt(1<<63, []byte("far"))
	if e := o.End(); !e.Cut || e.Size != 1<<20 {
		t.Errorf("%+v", e)
	}
	many := s.New(true)
	for range 3 * maxHoles {
		many.Hole(1)
		many.Write([]byte("x"))
	}
	if e := many.End(); len(e.Holes) != maxHoles || e.More != 2*maxHoles {
		t.Errorf("%d holes are listed, and %d are not", len(e.Holes), e.More)
	}
}

// TestMemory: objects beyond the bound go to the disk, small as they are.
func TestMemory(t *testing.T) {
	s := open(t, Options{Memory: 1000})
	var under []*Object
	all := noise(300)
	for i := range 100 {
		o := s.New(true)
		o.Write(all)
		o.Write([]byte{byte(i)})
		under = append(under, o)
		if held := s.held.Load(); held > 2000 {
			t.Fatalf("%d octets are held", held)
		}
	}
	for i, o := range under {
		e := o.End()
		if want := append(slices.Clone(all), byte(i)); e.Err != nil || !bytes.Equal(read(t, s, e.Hash), want) {
			t.Fatalf("object %d: %+v", i, e)
		}
	}
}

// TestApart: octets come in any order, some of them never.
func TestApart(t *testing.T) {
	s := open(t, Options{})
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(1, 5000).Draw(t, "size")
		want, there := make([]byte, 0, size), make([]bool, size)
		o := s.New(true)
		for range rapid.IntRange(1, 20).Draw(t, "writes") {
			at := rapid.IntRange(0, size-1).Draw(t, "at")
			p := noise(rapid.IntRange(1, size-at).Draw(t, "length"))
			if rapid.Bool().Draw(t, "next") && int(o.Size()) < size {
				at = int(o.Size())
				p = p[:min(len(p), size-at)]
			}
			o.WriteAt(uint64(at), p)
			if at+len(p) > len(want) {
				want = want[:at+len(p)]
			}
			copy(want[at:], p)
			for i := range p {
				there[at+i] = true
			}
		}
		o.Extend(uint64(size))
		want = want[:size]
		e := o.End()
		got := read(t, s, e.Hash)
		if e.Err != nil || !bytes.Equal(got, want) || e.Hash != sha256.Sum256(want) {
			t.Fatalf("another object of %d octets, want %d: %+v", len(got), len(want), e)
		}
		for _, h := range e.Holes {
			for i := h.At; i < h.At+h.Size; i++ {
				if there[i] {
					t.Fatalf("octet %d is in a hole", i)
				}
				there[i] = true
			}
		}
		if slices.Contains(there, false) {
			t.Fatal("a hole is not listed")
		}
	})
}

// TestBrief: octets out of order are hashed, and not kept.
func TestBrief(t *testing.T) {
	s := open(t, Options{})
	want := noise(3 * piece)
	o := s.New(true)
	o.Brief()
	for _, at := range []int{0, 2 * piece, piece} {
		o.WriteAt(uint64(at), want[at:at+piece])
	}
	if e := o.End(); e.Err != nil || e.Hash != sha256.Sum256(want) || e.Stored != 0 || len(e.Holes) != 0 {
		t.Errorf("%+v", e)
	}
	if got := files(t, s); len(got) != 0 {
		t.Errorf("%q is left", got)
	}
}

// TestOpening: what was under way when the process died is gone, all else is there.
func TestOpening(t *testing.T) {
	s := open(t, Options{})
	whole := s.New(true)
	whole.Write([]byte("whole"))
	kept := whole.End()
	s.New(true).Write(noise(2 * piece)) // never ends
	if n := len(files(t, s)); n != 2 {
		t.Fatalf("%d files", n)
	}
	again, err := Open(s.dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := files(t, again); len(got) != 1 || string(read(t, again, kept.Hash)) != "whole" {
		t.Errorf("%q", got)
	}
	if err := errors.Join(again.Sync(), remove(again, kept.Hash), remove(again, kept.Hash)); err != nil {
		t.Error(err)
	}
	if got := files(t, again); len(got) != 0 {
		t.Errorf("%q", got)
	}
}

// TestTemporary: a store without a directory leaves nothing.
func TestTemporary(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	s, err := Open("", Options{})
	if err != nil {
		t.Fatal(err)
	}
	hashed := s.New(false)
	hashed.Write([]byte("hashed"))
	if e := hashed.End(); e.Hash != sha256.Sum256([]byte("hashed")) || e.Stored != 0 || s.dir != "" {
		t.Errorf("%+v", e)
	}
	o := s.New(true)
	o.Write([]byte("kept"))
	if e := o.End(); string(read(t, s, e.Hash)) != "kept" {
		t.Errorf("%+v", e)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if left, _ := os.ReadDir(os.Getenv("TMPDIR")); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
}

// TestFull: an object that cannot be kept is hashed, and says why.
func TestFull(t *testing.T) {
	s := open(t, Options{})
	if err := os.RemoveAll(s.dir); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.dir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	o := s.New(true)
	all := noise(3 * piece)
	o.Write(all)
	o.Hole(10)
	if e := o.End(); e.Err == nil || e.Hash != sha256.Sum256(append(all, make([]byte, 10)...)) || e.Stored != 0 || s.Failed() != 1 {
		t.Errorf("%+v, %d failed", e, s.Failed())
	}
}

func BenchmarkObject(b *testing.B) {
	for name, keep := range map[string]bool{"hashed": false, "kept": true} {
		b.Run(name, func(b *testing.B) {
			s := open(b, Options{})
			all := noise(16 << 20)
			b.SetBytes(int64(len(all)))
			for i := 0; b.Loop(); i++ {
				all[0], all[1], all[2] = byte(i), byte(i>>8), byte(i>>16)
				o := s.New(keep)
				for p := range slices.Chunk(all, 1448) {
					o.Write(p)
				}
				e := o.End()
				if keep {
					s.Remove(e.Hash)
				}
			}
		})
	}
}

func remove(s *Store, hash [32]byte) error {
	gone, err := s.Remove(hash)
	if err == nil && !gone {
		err = errors.New("it stays")
	}
	return err
}

// TestAgain: an object that came again stays for a while, even if somebody takes it for old.
func TestAgain(t *testing.T) {
	s := open(t, Options{})
	var e Ended
	for range 2 {
		o := s.New(true)
		o.Write([]byte("again"))
		e = o.End()
	}
	if gone, err := s.Remove(e.Hash); err != nil || gone {
		t.Fatalf("removed %v, %v", gone, err)
	}
	s.again.turned = s.again.turned.Add(-graceTime)
	if gone, err := s.Remove(e.Hash); err != nil || gone {
		t.Fatalf("removed soon: %v, %v", gone, err)
	}
	s.again.turned = s.again.turned.Add(-graceTime)
	if err := remove(s, e.Hash); err != nil {
		t.Fatal(err)
	}
}
