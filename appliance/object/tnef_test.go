package object

import (
	"encoding/binary"
	"testing"
)

// attribute appends one of TNEF.
func attribute(b []byte, id uint32, value ...byte) []byte {
	b = append(b, 2)
	b = binary.LittleEndian.AppendUint32(b, id)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(value)))
	return append(append(b, value...), 0, 0)
}

// winmail returns a winmail.dat with two files. The first one has a long name behind a
// named property and one of several values, the second one a short name in Shift_JIS.
func winmail() []byte {
	b := attribute([]byte{0x78, 0x9f, 0x3e, 0x22, 1, 0}, tnefCodepage, 0xa4, 3, 0, 0, 0, 0, 0, 0)
	b = attribute(b, tnefRender, make([]byte, 14)...)
	b = attribute(b, tnefTitle, []byte("A~1.TXT\x00")...)
	b = attribute(b, tnefData, []byte("first file")...)
	properties := append([]byte{3, 0, 0, 0, 0x0b, 0, 1, 0x80}, make([]byte, 16)...) // boolean with a name
	properties = append(properties, 1, 0, 0, 0, 5, 0, 0, 0, 'n', 0, 'a', 0, 0, 0, 0, 0, 1, 0, 0, 0)
	properties = append(properties, 0x02, 0x11, 2, 0x37, 2, 0, 0, 0, 3, 0, 0, 0, 'x', 'y', 'z', 0, 0, 0, 0, 0) // two values
	properties = append(properties, 0x1f, 0, 7, 0x37, 1, 0, 0, 0, 12, 0, 0, 0, 0x8b, 0x89, '.', 0, 't', 0, 'x', 0, 't', 0, 0, 0)
	b = attribute(b, tnefProps, properties...)
	b = attribute(b, tnefRender, make([]byte, 14)...)
	b = attribute(b, tnefData, []byte("second file")...)
	return attribute(b, tnefTitle, 0x8c, 0xa9, 0x90, 0xcf, '.', 't', 'x', 't', 0)
}

// TestTNEF: files of a winmail.dat have their octets and names, whichever comes first.
func TestTNEF(t *testing.T) {
	got := read(Content{Type: "application/ms-tnef"}, winmail(), 5)
	if len(got) != 3 {
		t.Fatalf("%d objects", len(got))
	}
	for i, want := range [][2]string{{"見.txt", "first file"}, {"見積.txt", "second file"}} {
		k := got[i+1]
		if k.Name != want[0] || string(k.octets) != want[1] || k.ending != Complete || k.Parent != 1 {
			t.Errorf("%q: %q, %v, in %d", k.Name, k.octets, k.ending, k.Parent)
		}
	}
	whole := winmail()
	for n := range whole {
		read(Content{Type: "application/ms-tnef"}, whole[:n], 0) // does not panic
	}
}
