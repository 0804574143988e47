package agefile

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"filippo.io/age"
)

// made returns a file of this package with octets in it, and its identity.
func made(t testing.TB, clear []byte, step int) (file []byte, id *age.X25519Identity) {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	k, err := NewKey([]age.Recipient{id.Recipient()})
	if err != nil {
		t.Fatal(err)
	}
	s := NewStream(k)
	file = bytes.Clone(k.Header())
	for p := clear; len(p) > 0; {
		n := min(step, len(p))
		if s.Offset() != int64(len(file)) {
			t.Fatalf("the next chunk belongs to %d, %d octets are there", s.Offset(), len(file))
		}
		file = s.Append(file, p[:n])
		p = p[n:]
	}
	return s.End(file), id
}

func octets(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i*i>>8 + i)
	}
	return p
}

// sizes are those at which chunks begin and end.
var sizes = []int{0, 1, Chunk - 1, Chunk, Chunk + 1, 2 * Chunk, 3*Chunk + 17}

// TestAge: files of this package are read by age, and files of age by this package.
func TestAge(t *testing.T) {
	for _, size := range sizes {
		for _, step := range []int{1000, Chunk, 1 << 20} {
			clear := octets(size)
			file, id := made(t, clear, step)
			in, err := age.Decrypt(bytes.NewReader(file), id)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(in); err != nil || !bytes.Equal(got, clear) {
				t.Errorf("%d octets in steps of %d: age reads %d, %v", size, step, len(got), err)
			}
			var other bytes.Buffer
			w, err := age.Encrypt(&other, id.Recipient())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.Write(clear); err != nil || w.Close() != nil {
				t.Fatal(err)
			}
			for name, file := range map[string][]byte{"own": file, "age's": other.Bytes()} {
				r, err := Open(bytes.NewReader(file), int64(len(file)), []age.Identity{id})
				if err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(io.NewSectionReader(r, 0, r.Size()))
				if err != nil || !bytes.Equal(got, clear) || r.Cut() || r.Size() != int64(size) {
					t.Errorf("%s file of %d octets: %d, %v", name, size, len(got), err)
				}
			}
		}
	}
}

// TestPlaces: any octets of a file are read, also twice in the same chunk.
func TestPlaces(t *testing.T) {
	clear := octets(3*Chunk + 17)
	file, id := made(t, clear, 1<<20)
	r, err := Open(bytes.NewReader(file), int64(len(file)), []age.Identity{id})
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []int{0, 5, Chunk - 3, Chunk, 2*Chunk - 1, 3 * Chunk, 3*Chunk + 16} {
		for _, n := range []int{1, 17, Chunk, 2*Chunk + 5} {
			p := make([]byte, n)
			got, err := r.ReadAt(p, int64(at))
			want := clear[at:min(at+n, len(clear))]
			if !bytes.Equal(p[:got], want) || (err == nil) != (got == n) {
				t.Errorf("%d octets at %d: %d, %v", n, at, got, err)
			}
		}
	}
}

// TestChanged: an octet that was changed is found, wherever it is, and a file that was cut is
// read up to the last whole chunk.
func TestChanged(t *testing.T) {
	clear := octets(2*Chunk + 100)
	file, id := made(t, clear, 1<<20)
	read := func(file []byte) (int, bool, error) {
		r, err := Open(bytes.NewReader(file), int64(len(file)), []age.Identity{id})
		if err != nil {
			return 0, false, err
		}
		got, err := io.ReadAll(io.NewSectionReader(r, 0, r.Size()))
		if !bytes.Equal(got, clear[:len(got)]) {
			t.Error("other octets are read")
		}
		return len(got), r.Cut(), err
	}
	for at := 0; at < len(file); at += 1999 {
		changed := bytes.Clone(file)
		changed[at] ^= 4
		if _, _, err := read(changed); err == nil {
			t.Errorf("octet %d was changed, and nobody says so", at)
		}
	}
	head, err := HeaderSize(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	for n := range 3 {
		if got, cut, err := read(file[:head+int64(n)*sealed]); got != n*Chunk || !cut || err != nil {
			t.Errorf("%d chunks: %d octets, cut %v, %v", n, got, cut, err)
		}
	}
	if _, _, err := read(file[:head+sealed+500]); !errors.Is(err, ErrDamaged) {
		t.Errorf("cut within a chunk: %v", err)
	}
	other, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	for _, ids := range [][]age.Identity{nil, {other}} {
		if _, err := Open(bytes.NewReader(file), int64(len(file)), ids); !errors.Is(err, ErrLocked) {
			t.Errorf("without the identity: %v", err)
		}
	}
}

// FuzzOpen: whatever is in a file, it is read as it was written or not at all.
func FuzzOpen(f *testing.F) {
	clear := octets(300)
	file, id := made(f, clear, 100)
	f.Add(file)
	f.Add(file[:len(file)-16])
	f.Add([]byte("age-encryption.org/v1\n--- \n"))
	f.Fuzz(func(t *testing.T, file []byte) {
		r, err := Open(bytes.NewReader(file), int64(len(file)), []age.Identity{id})
		if err != nil {
			return
		}
		got, err := io.ReadAll(io.NewSectionReader(r, 0, r.Size()))
		if err == nil && len(got) > 0 && !bytes.Equal(got, clear) {
			t.Errorf("%q", got)
		}
	})
}
