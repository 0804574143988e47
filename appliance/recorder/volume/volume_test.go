package volume

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/clearspan/clearspan/mirror/capfile"

	"github.com/clearspan/clearspan/hack/needs"
)

// frame returns frame n.
func frame(n int) Frame {
	p := bytes.Repeat([]byte{byte(n)}, 60+n%1400)
	binary.BigEndian.PutUint32(p, uint32(n))
	f := Frame{Octets: p, Wire: len(p) + n%2, At: time.Unix(1_800_000_000, int64(n)), Link: 1}
	if n%50 == 0 {
		f.Comment = "clearspan session=1"
	}
	if n%97 == 0 {
		f.Link = 101
	}
	return f
}

// check compares a frame with frame n.
func check(t testing.TB, f Frame, n int) {
	t.Helper()
	want := frame(n)
	if !bytes.Equal(f.Octets, want.Octets) || f.Wire != want.Wire || !f.At.Equal(want.At) || f.Link != want.Link || f.Comment != want.Comment {
		t.Fatalf("frame %d: %d octets, wire %d, %v, link %d, %q", n, len(f.Octets), f.Wire, f.At, f.Link, f.Comment)
	}
}

func open(t testing.TB, dir string, o Options) *Writer {
	t.Helper()
	w, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

// all reads the frames of a directory from a mark on, of which the first is frame n.
func all(t testing.TB, dir string, from Mark, n int) (next int) {
	t.Helper()
	r := NewReader(dir, nil, from)
	defer r.Close()
	for {
		f, _, err := r.Next(context.Background(), 0)
		if errors.Is(err, io.EOF) {
			return n
		}
		if err != nil {
			t.Fatal(err)
		}
		check(t, f, n)
		n++
	}
}

// TestFollow: a reader sees all frames in order while they are written, over many volumes,
// and may go on from any mark.
func TestFollow(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "v")
	w := open(t, dir, Options{Size: 2 << 20})
	const n = 20_000
	var group sync.WaitGroup
	group.Go(func() {
		for i := range n {
			w.Add(frame(i))
			if i%1000 == 0 {
				w.Flush()
			}
		}
		w.Close()
	})
	r := NewReader(dir, w, 0)
	defer r.Close()
	marks := map[int]Mark{}
	for i := 0; ; {
		f, at, err := r.Next(t.Context(), 10*time.Millisecond)
		if errors.Is(err, io.EOF) {
			if i != n {
				t.Fatalf("%d frames", i)
			}
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if f.Octets == nil {
			continue
		}
		check(t, f, i)
		if marks[i] = at; i > 0 && marks[i-1] >= at {
			t.Fatal("marks do not grow")
		}
		i++
	}
	group.Wait()
	for _, i := range []int{0, 1, 777, 15_000, n - 1} {
		if next := all(t, dir, marks[i], i); next != n {
			t.Errorf("from frame %d: up to %d", i, next)
		}
	}
	list, err := List(dir)
	if err != nil || len(list) < 5 {
		t.Fatalf("%d volumes, %v", len(list), err)
	}
	frames := uint64(0)
	for _, s := range list {
		frames += s.Frames
		i, err := os.Stat(File(dir, s.Number))
		if err != nil || i.Size() != s.Size || len(s.SHA256) != 64 {
			t.Errorf("%+v, %v", s, err)
		}
	}
	if c := w.Counts(); frames != n || c.Stored != n || c.Dropped != 0 {
		t.Errorf("%d frames in volumes, %+v", frames, c)
	}
	f, err := os.Open(File(dir, 1))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	other, err := capfile.NewReader(f) // another reader of pcapng
	if err != nil {
		t.Fatal(err)
	}
	for i := range 1000 {
		got, err := other.Next()
		if err != nil || !bytes.Equal(got.Octets, frame(i).Octets) || !got.At.Equal(frame(i).At) {
			t.Fatalf("frame %d: %v", i, err)
		}
	}
}

// TestTorn: a volume may be torn at any octet. What is whole is read, and written behind.
func TestTorn(t *testing.T) {
	from := filepath.Join(t.TempDir(), "v")
	w := open(t, from, Options{})
	for i := range 5 {
		w.Add(frame(i))
	}
	w.Flush()
	file, err := os.ReadFile(path(from, 1) + complete + partial)
	if err != nil {
		t.Fatal(err)
	}
	for size := len(file) % 5; size <= len(file); size += 5 { // every octet takes too long on a slow disk
		dir := t.TempDir()
		if err := os.WriteFile(path(dir, 1)+complete+partial, file[:size], 0o600); err != nil {
			t.Fatal(err)
		}
		w, err := Open(dir, Options{})
		if err != nil {
			t.Fatalf("torn at %d: %v", size, err)
		}
		n := all(t, dir, 0, 0)
		for i := n; i < 8; i++ {
			w.Add(frame(i))
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if next := all(t, dir, 0, 0); next != 8 {
			t.Fatalf("torn at %d: %d frames", size, next)
		}
	}
}

// TestRefused: what the file system does not take is counted, and writing goes on by itself.
func TestRefused(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "v")
	said := 0
	w := open(t, dir, Options{Log: func(error) { said++ }})
	if err := os.Rename(dir, dir+"-away"); err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		w.Add(frame(i))
	}
	if err := os.Rename(dir+"-away", dir); err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		w.Add(frame(i))
	}
	w.Close()
	if c := w.Counts(); c.Dropped != 10 || c.Stored != 10 || said != 1 {
		t.Errorf("%+v, said %d times", c, said)
	}
	if n := all(t, dir, 0, 0); n != 10 {
		t.Errorf("%d frames", n)
	}
}

// TestFull: a disk that is full loses frames, which are counted. What was there stays, and
// writing goes on by itself when there is room.
func TestFull(t *testing.T) {
	dir := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=4m", "none", dir).CombinedOutput(); err != nil {
		needs.Missing(t, "mount: ", string(out))
	}
	t.Cleanup(func() { exec.Command("umount", dir).Run() })
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	w := open(t, dir, Options{})
	n := 0
	for ; n < 9_000; n++ {
		w.Add(frame(n))
	}
	full := w.Counts()
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	for ; n < 12_000; n++ {
		w.Add(frame(n))
	}
	w.Close()
	c := w.Counts()
	if full.Dropped == 0 || c.Stored <= full.Stored {
		t.Errorf("full: %+v, then %+v", full, c)
	}
	if c.Stored+c.Dropped != uint64(n) || c.Dropped == 0 || c.Stored < 3000 {
		t.Errorf("%+v of %d", c, n)
	}
	r := NewReader(dir, nil, 0)
	defer r.Close()
	read := uint64(0)
	for {
		_, _, err := r.Next(t.Context(), 0)
		if err != nil {
			break
		}
		read++
	}
	if read != c.Stored {
		t.Errorf("%d frames are there, %d stored", read, c.Stored)
	}
}

// FuzzReader: no volume makes the reader fail otherwise than by an error.
func FuzzReader(f *testing.F) {
	dir := f.TempDir()
	w, _ := Open(dir, Options{})
	for i := range 3 {
		w.Add(frame(i * 50))
	}
	w.Close()
	seed, _ := os.ReadFile(File(dir, 1))
	f.Add(seed)
	f.Fuzz(func(t *testing.T, p []byte) {
		dir := t.TempDir()
		os.WriteFile(path(dir, 1)+complete+partial, p, 0o600)
		w, err := Open(dir, Options{})
		if err != nil {
			return
		}
		w.Add(frame(1))
		w.Close()
		r := NewReader(dir, nil, 0)
		defer r.Close()
		for range 1000 {
			if _, _, err := r.Next(t.Context(), 0); err != nil {
				break
			}
		}
	})
}

func BenchmarkWriter(b *testing.B) {
	w := open(b, b.TempDir(), Options{})
	f := frame(1300)
	b.SetBytes(int64(len(f.Octets)))
	for b.Loop() {
		w.Add(f)
	}
}

// TestDamaged: a volume that was changed is told, and the next one is read.
func TestDamaged(t *testing.T) {
	dir := t.TempDir()
	w := open(t, dir, Options{Size: 1 << 20})
	for i := range 3000 {
		w.Add(frame(i))
	}
	w.Close()
	p, err := os.ReadFile(File(dir, 1))
	if err != nil {
		t.Fatal(err)
	}
	p[len(header())+len(interfaceBlock(1))+5] ^= 0x40 // the length of the first packet
	if err := os.WriteFile(File(dir, 1), p, 0o600); err != nil {
		t.Fatal(err)
	}
	r := NewReader(dir, nil, 0)
	defer r.Close()
	damaged, frames := 0, 0
	for {
		_, _, err := r.Next(t.Context(), 0)
		if errors.Is(err, ErrDamaged) {
			damaged++
			continue
		}
		if err != nil {
			break
		}
		frames++
	}
	if damaged != 1 || frames == 0 || frames == 3000 {
		t.Errorf("told %d times, %d frames", damaged, frames)
	}
}

// TestNoTime: a frame whose capture had no times has none.
func TestNoTime(t *testing.T) {
	dir := t.TempDir()
	w := open(t, dir, Options{})
	w.Add(Frame{Octets: make([]byte, 60), Link: 1})
	w.Close()
	r := NewReader(dir, nil, 0)
	defer r.Close()
	if f, _, err := r.Next(t.Context(), 0); err != nil || !f.At.IsZero() {
		t.Errorf("%v, %v", f.At, err)
	}
}

// sumOf returns the SHA-256 of a file.
func sumOf(t testing.TB, file string) string {
	t.Helper()
	p, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(p)
	return hex.EncodeToString(sum[:])
}
