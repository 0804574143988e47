package capfile_test

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/clearspan/clearspan/mirror/capfile"
)

var le = binary.LittleEndian

// block is a pcapng block.
func block(kind uint32, body []byte) []byte {
	body = append(body, make([]byte, -len(body)&3)...)
	b := le.AppendUint32(le.AppendUint32(nil, kind), uint32(len(body)+12))
	return le.AppendUint32(append(b, body...), uint32(len(body)+12))
}

// section begins a section with interfaces of link types.
func section(links ...uint16) []byte {
	head := le.AppendUint32(nil, 0x1a2b3c4d)
	head = le.AppendUint64(le.AppendUint32(head, 1), ^uint64(0))
	p := block(0x0a0d0d0a, head)
	for _, link := range links {
		p = append(p, block(1, le.AppendUint32(le.AppendUint32(nil, uint32(link)), 0))...)
	}
	return p
}

// packet is a frame on an interface, with a comment if it is not empty.
func packet(kind, number uint32, frame, comment string) []byte {
	b := le.AppendUint32(nil, number)
	b = le.AppendUint64(b, 0)
	b = le.AppendUint32(le.AppendUint32(b, uint32(len(frame))), uint32(len(frame)))
	b = append(b, frame...)
	b = append(b, make([]byte, -len(b)&3)...)
	if comment != "" {
		b = le.AppendUint16(le.AppendUint16(b, 1), uint16(len(comment)))
		b = append(b, comment...)
		b = append(b, make([]byte, -len(b)&3)...)
		b = le.AppendUint32(b, 0)
	}
	return block(kind, b)
}

// pcap is a capture of n frames of 100 octets.
func pcap(n int) []byte {
	p := le.AppendUint32(nil, 0xa1b2c3d4)
	p = le.AppendUint16(le.AppendUint16(p, 2), 4)
	p = le.AppendUint32(le.AppendUint32(le.AppendUint64(p, 0), 1<<16), 1)
	for i := range n {
		p = le.AppendUint32(le.AppendUint32(p, uint32(i)), 0)
		p = le.AppendUint32(le.AppendUint32(p, 100), 100)
		p = append(p, bytes.Repeat([]byte{byte(i)}, 100)...)
	}
	return p
}

// read returns what a capture has, one line a frame.
func read(data []byte) (lines []string, err error) {
	r, err := capfile.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	for {
		f, err := r.Next()
		if err != nil {
			if r.Octets() > uint64(len(data)) {
				return lines, fmt.Errorf("%d octets read", r.Octets())
			}
			return lines, err
		}
		lines = append(lines, fmt.Sprintf("%d %d %.8s %s", f.Interface, f.Link, f.Octets, f.Comment))
	}
}

// TestInterfaces: numbers of interfaces begin anew in a section; both kinds of packets have
// comments.
func TestInterfaces(t *testing.T) {
	data := bytes.Join([][]byte{
		section(1, 101), packet(6, 0, "first", ""), packet(6, 1, "second", "said of it"), packet(2, 1, "old", "too"),
		section(113), packet(6, 0, "third", ""),
	}, nil)
	lines, err := read(data)
	want := "0 1 first |1 101 second said of it|1 101 old too|0 113 third "
	if got := strings.Join(lines, "|"); got != want || !errors.Is(err, io.EOF) {
		t.Errorf("%q, %v", got, err)
	}
}

// TestTorn: a capture that ends within a record is torn, and what came before is read. At
// other places it ends, or is damaged.
func TestTorn(t *testing.T) {
	plain := pcap(3)
	ng := append(section(1), bytes.Repeat(packet(6, 0, "a frame", "comment"), 3)...)
	for name, data := range map[string][]byte{"pcap": plain, "pcapng": ng} {
		whole := 0
		for size := range len(data) + 1 {
			lines, err := read(data[:size])
			if len(lines) < whole || len(lines) > whole+1 {
				t.Fatalf("%s of %d octets: %d frames after %d", name, size, len(lines), whole)
			}
			whole = len(lines)
			if !errors.Is(err, io.EOF) && !errors.Is(err, capfile.ErrTorn) || err == nil {
				t.Fatalf("%s of %d octets: %v", name, size, err)
			}
		}
		if whole != 3 {
			t.Errorf("%s: %d frames", name, whole)
		}
	}
	if _, err := read(append(pcap(1), bytes.Repeat([]byte{255}, 32)...)); err == nil || errors.Is(err, capfile.ErrTorn) || !strings.Contains(err.Error(), "at octet 140") {
		t.Errorf("damaged: %v", err)
	}
}

// TestPacked reads compressed captures, and those that are torn.
func TestPacked(t *testing.T) {
	data := pcap(5000)
	var g, z bytes.Buffer
	gw := gzip.NewWriter(&g)
	gw.Write(data)
	gw.Close()
	zw, err := zstd.NewWriter(&z)
	if err != nil {
		t.Fatal(err)
	}
	zw.Write(data)
	zw.Close()
	for name, p := range map[string][]byte{"gzip": g.Bytes(), "zstd": z.Bytes()} {
		lines, err := read(p)
		if len(lines) != 5000 || !errors.Is(err, io.EOF) {
			t.Errorf("%s: %d frames, %v", name, len(lines), err)
		}
		if lines, err = read(p[:len(p)-3]); len(lines) == 0 && name == "gzip" || !errors.Is(err, capfile.ErrTorn) {
			t.Errorf("%s, torn: %d frames, %v", name, len(lines), err)
		}
	}
}

// TestAllocations: a frame costs no allocation.
func TestAllocations(t *testing.T) {
	r, err := capfile.NewReader(bytes.NewReader(pcap(3000)))
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(2000, func() { r.Next() }); n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
}

// FuzzReader: no capture makes the reader fail otherwise than by an error, or hand out more
// than there is.
func FuzzReader(f *testing.F) {
	f.Add(pcap(2))
	f.Add(append(section(1, 101), packet(6, 1, "frame", "comment")...))
	f.Add(append(section(1), packet(2, 0, "frame", "comment")...))
	f.Add([]byte("\x28\xb5\x2f\xfd\x04\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, err := read(data); err == nil || strings.Contains(err.Error(), "octets read") {
			t.Error(err)
		}
	})
}

func BenchmarkReader(b *testing.B) {
	data := pcap(100_000)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		r, _ := capfile.NewReader(bytes.NewReader(data))
		for {
			if _, err := r.Next(); err != nil {
				break
			}
		}
	}
}
