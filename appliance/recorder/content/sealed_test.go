package content

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/clearspan/clearspan/hack/needs"
)

// secret is in all octets of the tests, and in no file.
const secret = "this stands in the cleartext"

// octetsOf returns octets with the secret in them, that can be compressed or not.
func octetsOf(size int, shrinks bool) []byte {
	p := make([]byte, size)
	r := rand.NewChaCha8([32]byte{1})
	if !shrinks {
		r.Read(p)
	}
	for at := 0; at+len(secret) <= size; at += 4000 {
		copy(p[at:], secret)
	}
	return p
}

// ways are those in which octets come.
var ways = []struct {
	name string
	put  func(o *Object, p []byte)
}{
	{"in order", func(o *Object, p []byte) { writeIn(o, p, 10_000) }},
	{"two at once", func(o *Object, p []byte) {
		half := len(p) / 2
		o.WriteAt(uint64(half), p[half:])
		o.WriteAt(0, p[:half])
	}},
	{"out of order, twice", func(o *Object, p []byte) {
		for from := len(p) / 7000 * 7000; from >= 0; from -= 7000 {
			o.WriteAt(uint64(from), p[from:min(len(p), from+9000)])
		}
	}},
	{"order ends", func(o *Object, p []byte) {
		third := len(p) / 3
		writeIn(o, p[:third], 5000)
		o.WriteAt(uint64(2*third), p[2*third:])
		o.WriteAt(uint64(third), p[third:2*third])
	}},
	{"hole", func(o *Object, p []byte) {
		third := len(p) / 3
		o.Write(p[:third])
		o.Hole(uint64(third))
		o.Write(p[2*third:])
	}},
	{"hole at both ends", func(o *Object, p []byte) {
		o.Hole(1000)
		o.Write(p)
		o.Extend(o.Size() + 70_000)
	}},
	{"holes apart", func(o *Object, p []byte) {
		o.WriteAt(100_000, p)
		o.WriteAt(50_001, p[:min(len(p), 40)])
		o.Extend(o.Size() + 5000)
	}},
}

func writeIn(o *Object, p []byte, step int) {
	for len(p) > 0 {
		n := min(len(p), step)
		o.Write(p[:n])
		p = p[n:]
	}
}

// noSecret looks for the secret in all files of a directory.
func noSecret(t *testing.T, dir string) {
	t.Helper()
	filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			if p, err := os.ReadFile(name); err != nil || bytes.Contains(p, []byte(secret)) {
				t.Errorf("%s has cleartext, or: %v", name, err)
			}
		}
		return nil
	})
}

// TestEncrypted: an object has the same octets, holes and hash as one that is not encrypted,
// however they came. It can be opened by the store, with the identity, and by age; and by
// nobody else.
func TestEncrypted(t *testing.T) {
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte(id.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, memory := range []int64{0, 10_000} {
		plain := open(t, Options{})
		sums := make(map[[32]byte][32]byte)
		s := open(t, Options{Memory: memory, Recipients: []age.Recipient{id.Recipient()}, Sealed: func(object, file [32]byte) { sums[object] = file }})
		other := At(s.dir)
		with := At(s.dir)
		with.Identify([]age.Identity{id})
		for _, size := range []int{0, 100, 64 << 10, 600_000} {
			for _, shrinks := range []bool{false, true} {
				p := octetsOf(size, shrinks)
				for _, way := range ways {
					want, got := plain.New(true), s.New(true)
					way.put(want, p)
					way.put(got, p)
					noSecret(t, s.dir)
					a, b := want.End(), got.End()
					if a.Hash != b.Hash || a.Size != b.Size || len(a.Holes) != len(b.Holes) || b.Err != nil || b.Stored == 0 {
						t.Fatalf("%s, %d octets: %+v, want %+v", way.name, size, b, a)
					}
					for i, s := range []*Store{s, with} {
						if sum := readAll(t, s, b.Hash); sum != a.Hash {
							t.Errorf("%s, %d octets, reader %d: %x", way.name, size, i, sum)
						}
					}
					if _, err := other.Open(b.Hash); !errors.Is(err, ErrLocked) {
						t.Errorf("%s, %d octets, without a key: %v", way.name, size, err)
					}
					f, err := s.find(b.Hash)
					if err != nil {
						t.Fatal(err)
					}
					file, err := os.ReadFile(f.path)
					if err != nil || sha256.Sum256(file) != sums[b.Hash] {
						t.Errorf("%s, %d octets: the SHA-256 of the file is another one, %v", way.name, size, err)
					}
				}
			}
		}
		noSecret(t, s.dir)
		if n := s.held.Load(); n != 0 {
			t.Errorf("%d octets are held", n)
		}
		o := s.New(true)
		o.Write(octetsOf(300_000, true))
		hash := o.End().Hash
		f, err := s.find(hash)
		if err != nil || !strings.HasSuffix(f.path, ".zst.age") {
			t.Fatalf("%+v, %v", f, err)
		}
		clear, err := exec.Command(needs.Program(t, "age"), "-d", "-i", key, f.path).Output()
		if err != nil || bytes.Contains(clear, []byte(secret)) && !bytes.HasPrefix(clear, []byte{0x28, 0xb5, 0x2f, 0xfd}) {
			t.Errorf("age: %v", err)
		}
	}
}

func readAll(t *testing.T, s *Store, hash [32]byte) (sum [32]byte) {
	t.Helper()
	r, err := s.Open(hash)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	h := sha256.New()
	if _, err := io.Copy(h, r); err != nil {
		t.Error(err)
	}
	return [32]byte(h.Sum(nil))
}

// TestKeysExpire: an object that comes again when its key is forgotten gets another file, and
// can be read again.
func TestKeysExpire(t *testing.T) {
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	s := open(t, Options{Recipients: []age.Recipient{id.Recipient()}})
	put := func() [32]byte {
		o := s.New(true)
		o.Write([]byte(secret))
		return o.End().Hash
	}
	hash := put()
	s.keys.order[0].at = time.Now().Add(-keysFor)
	s.Expire()
	if _, err := s.Open(hash); !errors.Is(err, ErrLocked) {
		t.Fatal(err)
	}
	put()
	if sum := readAll(t, s, hash); sum != hash {
		t.Errorf("%x", sum)
	}
	put() // it is there, and can be read
	if len(s.keys.order) != 1 {
		t.Errorf("%d keys", len(s.keys.order))
	}
}

func BenchmarkEncrypted(b *testing.B) {
	id, err := age.GenerateX25519Identity()
	if err != nil {
		b.Fatal(err)
	}
	for _, bb := range []struct {
		name string
		size int
		to   []age.Recipient
	}{
		{"plain/4KiB", 4 << 10, nil}, {"age/4KiB", 4 << 10, []age.Recipient{id.Recipient()}},
		{"plain/16MiB", 16 << 20, nil}, {"age/16MiB", 16 << 20, []age.Recipient{id.Recipient()}},
	} {
		b.Run(bb.name, func(b *testing.B) {
			s, err := Open(b.TempDir(), Options{Recipients: bb.to})
			if err != nil {
				b.Fatal(err)
			}
			p := octetsOf(bb.size, false)
			b.SetBytes(int64(len(p)))
			for n := byte(0); b.Loop(); n++ {
				p[0]++
				if p[0] == 0 {
					p[1]++
				}
				o := s.New(true)
				o.Write(p)
				s.Remove(o.End().Hash)
			}
		})
	}
}
