package volume

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/clearspan/clearspan/mirror/capfile"

	"github.com/clearspan/clearspan/hack/needs"
)

// identity returns one, with options for it.
func identity(t testing.TB) (*age.X25519Identity, Options) {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return id, Options{Recipients: []age.Recipient{id.Recipient()}}
}

// with reads the frames of a directory with identities, of which the first is frame 0.
func with(t testing.TB, dir string, w *Writer, ids ...age.Identity) (n int, locked int) {
	t.Helper()
	r := NewReader(dir, w, 0)
	defer r.Close()
	r.Identify(ids)
	for {
		f, _, err := r.Next(t.Context(), 0)
		switch {
		case errors.Is(err, io.EOF):
			return n, locked
		case errors.Is(err, ErrLocked):
			locked++
			continue
		case err != nil:
			t.Fatal(err)
		case f.Octets == nil:
			return n, locked
		}
		check(t, f, n)
		n++
	}
}

// TestEncrypted: whoever writes reads behind until the key is forgotten, others need the
// identity. The file is a capture for age and any program behind it.
func TestEncrypted(t *testing.T) {
	dir := t.TempDir()
	id, o := identity(t)
	other, _ := identity(t)
	o.Size = 400 << 10
	w := open(t, dir, o)
	r := NewReader(dir, w, 0)
	defer r.Close()
	const frames = 2000
	for i := range frames {
		w.Add(frame(i))
		if i%100 == 99 {
			w.Flush()
			follow(t, r, i-99, 100)
		}
	}
	if n, _ := with(t, dir, nil); n != 0 {
		t.Errorf("%d frames without a key", n)
	}
	w.Close()
	list, err := List(dir)
	if err != nil || len(list) < 3 || !list[0].Encrypted {
		t.Fatalf("%+v, %v", list, err)
	}
	all := uint64(0)
	for _, s := range list {
		i, err := os.Stat(File(dir, s.Number))
		if err != nil || i.Size() != s.Size || filepath.Base(File(dir, s.Number)) != s.Name() {
			t.Errorf("%+v: %v", s, err)
		}
		if sum := sumOf(t, File(dir, s.Number)); sum != s.SHA256 {
			t.Errorf("volume %d: SHA-256 %s, want %s", s.Number, sum, s.SHA256)
		}
		all += s.Frames
	}
	if all != frames {
		t.Errorf("%d frames", all)
	}
	for _, tt := range []struct {
		name   string
		writer *Writer
		ids    []age.Identity
		frames int
		locked int
	}{
		{"writer", w, nil, frames, 0},
		{"identity", nil, []age.Identity{other, id}, frames, 0},
		{"another identity", nil, []age.Identity{other}, 0, len(list)},
		{"nothing", nil, nil, 0, len(list)},
	} {
		if n, locked := with(t, dir, tt.writer, tt.ids...); n != tt.frames || locked != tt.locked {
			t.Errorf("%s: %d frames, %d volumes locked", tt.name, n, locked)
		}
	}
	w.Forget(Mark(100 << offsetBits))
	if n, locked := with(t, dir, w); n != 0 || locked != len(list) {
		t.Errorf("forgotten: %d frames, %d locked", n, locked)
	}
	if n := byAge(t, id, File(dir, 1), true); n != int(list[0].Frames) {
		t.Errorf("age: %d frames, want %d", n, list[0].Frames)
	}
}

// byAge returns how many frames age and a reader of captures find in a volume. One that is
// not whole ends with a torn frame.
func byAge(t *testing.T, id *age.X25519Identity, file string, whole bool) (n int) {
	t.Helper()
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte(id.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	clear, err := exec.Command(needs.Program(t, "age"), "-d", "-i", key, file).Output()
	if err != nil {
		t.Fatalf("age: %v", err)
	}
	r, err := capfile.NewReader(bytes.NewReader(clear))
	if err != nil {
		t.Fatal(err)
	}
	for {
		f, err := r.Next()
		if err != nil && (!whole || errors.Is(err, io.EOF)) {
			return n
		}
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(f.Octets, frame(n).Octets) {
			t.Fatalf("age: frame %d differs", n)
		}
		n++
	}
}

// TestEncryptedTorn: a volume whose writer died at any octet is read up to the last whole
// chunk, by age, too, if no write was torn. It is never read as something else.
func TestEncryptedTorn(t *testing.T) {
	from := t.TempDir()
	id, o := identity(t)
	w := open(t, from, o)
	for i := range 300 {
		w.Add(frame(i))
	}
	w.Flush()
	file, err := os.ReadFile(path(from, 1) + complete + locked + partial)
	if err != nil {
		t.Fatal(err)
	}
	most := 0
	for _, size := range []int{0, 20, 200, 300, 65700, len(file) / 2, len(file) - 33, len(file) - 32, len(file) - 1, len(file)} {
		dir := t.TempDir()
		if err := os.WriteFile(path(dir, 1)+complete+locked+partial, file[:size], 0o600); err != nil {
			t.Fatal(err)
		}
		open(t, dir, Options{}).Close()
		n, _ := with(t, dir, nil, id)
		list, err := List(dir)
		if err != nil || (len(list) == 1) != (n > 0) || n > 0 && (!list[0].Cut || !list[0].Encrypted || list[0].SHA256 != sumOf(t, File(dir, 1))) {
			t.Errorf("torn at %d: %d frames, %+v, %v", size, n, list, err)
		}
		most = max(most, n)
		if size == len(file) {
			if m := byAge(t, id, File(dir, 1), false); m != n {
				t.Errorf("age reads %d frames, this package %d", m, n)
			}
		}
	}
	if most < 200 {
		t.Errorf("%d frames were recovered at most", most)
	}
}

// TestEncryptedRefused: a chunk that could not be written ends the volume. Its frames count
// as dropped, and the next volume goes on.
func TestEncryptedRefused(t *testing.T) {
	dir := t.TempDir()
	id, o := identity(t)
	w := open(t, dir, o)
	for i := range 400 {
		w.Add(frame(i))
	}
	w.Flush()
	for i := range 400 {
		w.Add(frame(400 + i))
	}
	refuse(t, w)
	w.Flush()
	c := w.Counts()
	if c.Stored+c.Dropped != 800 || c.Dropped < 400 || c.Stored == 0 {
		t.Fatalf("%+v", c)
	}
	w.Add(frame(0))
	w.Close()
	list, err := List(dir)
	if err != nil || len(list) != 2 || !list[0].Cut || list[0].Frames+list[0].Dropped != 800 {
		t.Fatalf("%+v, %v", list, err)
	}
	r := NewReader(dir, nil, 0)
	defer r.Close()
	r.Identify([]age.Identity{id})
	follow(t, r, 0, int(c.Stored))
	follow(t, r, 0, 1)
	if _, _, err := r.Next(t.Context(), 0); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
}

// TestTail: a writer that dies loses none of the frames that were flushed, and none comes
// twice, however many wait for the rest of a chunk.
func TestTail(t *testing.T) {
	for _, flushed := range []int{1, 100, 291, 799} {
		for _, later := range []int{0, 600} {
			from, dir := t.TempDir(), filepath.Join(t.TempDir(), "v")
			id, o := identity(t)
			w := open(t, from, o)
			for i := range flushed {
				w.Add(frame(i))
				if i%37 == 0 {
					w.Flush()
				}
			}
			w.Flush()
			for i := range later { // and some that are written, but not flushed
				w.Add(frame(flushed + i))
			}
			w.mu.Lock()
			w.flush()
			err := os.CopyFS(dir, os.DirFS(from)) // it dies
			w.mu.Unlock()
			if err != nil {
				t.Fatal(err)
			}
			again := open(t, dir, o)
			n, locked := with(t, dir, nil, id)
			if n < flushed || n > flushed+later || locked > 0 {
				t.Errorf("%d flushed, %d more: %d frames are read", flushed, later, n)
			}
			again.Add(frame(n))
			again.Close()
			if m, _ := with(t, dir, nil, id); m != n+1 {
				t.Errorf("%d flushed, %d more: %d frames, want %d", flushed, later, m, n+1)
			}
			w.Close()
			for _, dir := range []string{dir, from} {
				if left, _ := filepath.Glob(filepath.Join(dir, "*tail*")); len(left) > 0 {
					t.Errorf("%q are left", left)
				}
			}
		}
	}
}

func BenchmarkEncrypted(b *testing.B) {
	_, o := identity(b)
	for _, bb := range []struct {
		name string
		o    Options
	}{{"plain", Options{}}, {"age", o}} {
		b.Run(bb.name, func(b *testing.B) {
			w := open(b, b.TempDir(), bb.o)
			f := Frame{Octets: make([]byte, 1460), At: time.Now(), Link: 1}
			b.SetBytes(int64(len(f.Octets)))
			for b.Loop() {
				w.Add(f)
			}
			w.Close()
		})
	}
}
