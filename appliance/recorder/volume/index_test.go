package volume

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/clearspan/clearspan/appliance/recorder/engine"
	"github.com/clearspan/clearspan/appliance/recorder/flow"
)

// sessionFrame returns frame n of a mix, and the session of it. Every 10th is of no session,
// every 7th a record of an engine.
func sessionFrame(n, sessions int) (Frame, flow.Key, bool) {
	who := n * 7919 % sessions
	f := Frame{At: time.Unix(1_800_000_000, int64(n)*1000), Link: 1}
	if n%7 == 3 {
		f.Link = engine.LinkType
		r := engine.Record{Kind: engine.Data, Octets: make([]byte, 1+n%3000)}
		binary.BigEndian.PutUint32(r.Session[:], uint32(who))
		f.Octets = r.Append(nil)
		return f, EngineKey(r.Session), true
	}
	f.Octets = make([]byte, 14+20+20+n%4000)
	if n%10 == 9 {
		f.Octets = f.Octets[:42] // ARP
		f.Octets[12], f.Octets[13] = 8, 6
		return f, flow.Key{}, false
	}
	f.Octets[12] = 8
	ip := f.Octets[14:]
	ip[0], ip[9] = 0x45, 6
	binary.BigEndian.PutUint16(ip[2:], uint16(len(ip)))
	ends := [2]uint32{0x0a000000 | uint32(who), 0xc6336401}
	binary.BigEndian.PutUint32(ip[12:], ends[n&1])
	binary.BigEndian.PutUint32(ip[16:], ends[1-n&1])
	binary.BigEndian.PutUint16(ip[20:], 443)
	binary.BigEndian.PutUint16(ip[22:], 443)
	ip[32] = 0x50
	binary.BigEndian.PutUint32(ip[24:], uint32(n)) // tells frames apart
	k, ok := flow.KeyOf(1, f.Octets)
	return f, k, ok
}

// mix writes n frames of a mix, and returns how many octets the volumes have.
func mix(t testing.TB, dir string, o Options, n, sessions int) (octets int64) {
	t.Helper()
	w := open(t, dir, o)
	for i := range n {
		f, _, _ := sessionFrame(i, sessions)
		w.Add(f)
		if i%1000 == 0 {
			w.Flush()
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	list, err := List(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range list {
		octets += s.Size
		if err := CheckIndex(dir, &s); err != nil {
			t.Errorf("volume %d: %v", s.Number, err)
		}
	}
	return octets
}

// readBack compares the frames of a session with those of a mix, and returns how many octets
// were read for them.
func readBack(t testing.TB, dir string, n, sessions int, want flow.Key, id *age.X25519Identity) int64 {
	t.Helper()
	r := NewReader(dir, nil, 0)
	defer r.Close()
	if id != nil {
		r.Identify([]age.Identity{id})
	}
	r.Want(func(s *Indexed) bool {
		if s.First.IsZero() || s.Last.Before(s.First) {
			t.Errorf("%+v", s)
		}
		return s.Key == want
	})
	for i := range n {
		f, k, _ := sessionFrame(i, sessions)
		if k != want {
			continue
		}
		for {
			got, _, err := r.Next(t.Context(), 0)
			if err != nil {
				t.Fatalf("frame %d: %v", i, err)
			}
			if bytes.Equal(got.Octets, f.Octets) && got.Link == f.Link && got.At.Equal(f.At) {
				break
			}
		}
	}
	for {
		if _, _, err := r.Next(t.Context(), 0); errors.Is(err, io.EOF) {
			return r.Octets()
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// TestIndex: the frames of a session are found, and little else is read. An index that is
// missing or damaged costs time only.
func TestIndex(t *testing.T) {
	const n, sessions = 5000, 400
	id, locked := identity(t)
	locked.Size = 3 << 20
	for name, o := range map[string]Options{"plain": {Size: 3 << 20}, "encrypted": locked} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			total := mix(t, dir, o, n, sessions)
			key := id
			if o.Recipients == nil {
				key = nil
			}
			for _, i := range []int{0, 3, 40, 4990} {
				_, k, ok := sessionFrame(i, sessions)
				if !ok {
					t.Fatal("no session")
				}
				if read := readBack(t, dir, n, sessions, k, key); read > total/3 {
					t.Errorf("session of frame %d: %d of %d octets were read", i, read, total)
				}
			}
			_, k, _ := sessionFrame(40, sessions)
			name := path(dir, 1) + indexName
			p, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			for at := 0; at <= len(p); at += 1 + len(p)/15 {
				bad := bytes.Clone(p)
				if at < len(p) {
					bad[at] ^= 4
				} else {
					bad = bad[:at/2]
				}
				if err := os.WriteFile(name, bad, 0o600); err != nil {
					t.Fatal(err)
				}
				readBack(t, dir, n, sessions, k, key)
				if s, _ := List(dir); o.Recipients == nil && CheckIndex(dir, &s[0]) == nil {
					t.Error("a damaged index passes")
				}
			}
			if err := os.Rename(path(dir, 2)+indexName, name); err != nil { // of another volume
				t.Fatal(err)
			}
			readBack(t, dir, n, sessions, k, key)
			os.Remove(name)
			readBack(t, dir, n, sessions, k, key)
			if err := Remove(dir, 1); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestIndexLost: an index does not have what a disk refused, and one of a volume whose writer
// died is built again.
func TestIndexLost(t *testing.T) {
	for name, end := range map[string]func(*testing.T, *Writer, string){
		"refused": func(t *testing.T, w *Writer, _ string) { refuse(t, w); w.Flush() },
		"died": func(t *testing.T, w *Writer, dir string) {
			w.file.Truncate(w.flushed - 20)
			open(t, dir, Options{}).Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			w := open(t, dir, Options{})
			for i := range 2000 {
				f, _, _ := sessionFrame(i, 50)
				if w.Add(f); i == 1000 {
					w.Flush()
				}
			}
			end(t, w, dir)
			list, err := List(dir)
			if err != nil || len(list) != 1 {
				t.Fatalf("%+v, %v", list, err)
			}
			if err := CheckIndex(dir, &list[0]); err != nil {
				t.Error(err)
			}
			if _, err := os.Stat(path(dir, 1) + indexName); err != nil {
				t.Error(err)
			}
			_, k, _ := sessionFrame(0, 50)
			readBack(t, dir, 900, 50, k, nil)
		})
	}
}

// TestIndexDamagedVolume: a volume that was changed where it is read is told, as without an
// index.
func TestIndexDamagedVolume(t *testing.T) {
	dir := t.TempDir()
	mix(t, dir, Options{}, 3000, 50)
	p, err := os.ReadFile(File(dir, 1))
	if err != nil {
		t.Fatal(err)
	}
	for i := len(p) / 2; i < len(p); i++ {
		p[i] = 0xff
	}
	if err := os.WriteFile(File(dir, 1), p, 0o600); err != nil {
		t.Fatal(err)
	}
	r := NewReader(dir, nil, 0)
	defer r.Close()
	r.Want(func(*Indexed) bool { return true })
	frames := map[string]bool{}
	for {
		f, _, err := r.Next(t.Context(), 0)
		if errors.Is(err, ErrDamaged) {
			break
		}
		if err != nil || frames[string(f.Octets)] {
			t.Fatalf("%d frames: %v", len(frames), err)
		}
		if f.Link == 1 && len(f.Octets) > 42 {
			frames[string(f.Octets)] = true
		}
	}
	if len(frames) < 500 {
		t.Errorf("%d frames", len(frames))
	}
}

// TestIndexBound: sessions beyond the bound are found, too.
func TestIndexBound(t *testing.T) {
	x := newIndex()
	x.limit = 1000
	k := flow.Key{36: 6}
	for i := range x.limit + 10 {
		binary.BigEndian.PutUint32(k[:], uint32(i))
		x.add(k, true, int64(i)*64, time.Unix(1, 0))
	}
	if len(x.sessions) != x.limit || len(x.rest.list) == 0 {
		t.Errorf("%d sessions", len(x.sessions))
	}
	s := &Summary{SHA256: "00ff"}
	p, err := parseIndex(x.append(nil, s), s, func(*Indexed) bool { return false })
	if err != nil || len(p.starts) != 1 {
		t.Errorf("%+v, %v", p, err)
	}
}

// FuzzIndex: no index makes the reader fail otherwise than by an error.
func FuzzIndex(f *testing.F) {
	x := newIndex()
	for i := range 100 {
		frame, k, ok := sessionFrame(i, 9)
		x.add(k, ok, int64(i)*3000, frame.At)
	}
	s := &Summary{SHA256: "00ff"}
	seed := x.append(nil, s)
	f.Add(seed[:len(seed)-4])
	f.Fuzz(func(t *testing.T, p []byte) {
		p = append(bytes.Clone(p), le.AppendUint32(nil, sumOfIndex(p))...)
		k, err := parseIndex(p, s, func(s *Indexed) bool { return s.Key[0]&1 == 0 })
		if err == nil && len(k.starts) > len(p) {
			t.Errorf("%d pages of %d octets", len(k.starts), len(p))
		}
	})
}
