package clickhouse

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net/netip"
	"time"

	"github.com/clearspan/clearspan/appliance/recorder/trail"
)

// rows is rows of a table, in the format RowBinary.
type rows []byte

func (r *rows) u8(n uint8)   { *r = append(*r, n) }
func (r *rows) u16(n uint16) { *r = binary.LittleEndian.AppendUint16(*r, n) }
func (r *rows) u32(n uint32) { *r = binary.LittleEndian.AppendUint32(*r, n) }
func (r *rows) u64(n uint64) { *r = binary.LittleEndian.AppendUint64(*r, n) }
func (r *rows) i64(n int64)  { r.u64(uint64(n)) }

// fixed adds octets whose number the table says.
func (r *rows) fixed(b []byte) { *r = append(*r, b...) }

func (r *rows) texts(list ...string) {
	for _, s := range list {
		*r = append(binary.AppendUvarint(*r, uint64(len(s))), s...)
	}
}

func (r *rows) time(t time.Time) {
	if t.IsZero() {
		r.i64(0)
		return
	}
	r.i64(t.UnixNano())
}

func (r *rows) bool(b bool) {
	n := uint8(0)
	if b {
		n = 1
	}
	r.u8(n)
}

// address adds an address, zeros if there is none, and the port.
func (r *rows) address(a netip.AddrPort) {
	b := octets(a.Addr())
	r.fixed(b[:])
	r.u16(a.Port())
}

func octets(a netip.Addr) (b [16]byte) {
	if a.IsValid() {
		b = a.As16()
	}
	return b
}

// answer reads rows in the format RowBinary. Behind an error it returns zero values.
type answer struct {
	r   *bufio.Reader
	err error
}

// maxText bounds a text of an answer.
const maxText = 64 << 20

// more reports whether there is another row.
func (a *answer) more() bool {
	if a.err != nil {
		return false
	}
	_, err := a.r.Peek(1)
	if err != nil && err != io.EOF {
		a.err = err
	}
	return err == nil
}

func (a *answer) read(p []byte) {
	if a.err == nil {
		_, a.err = io.ReadFull(a.r, p)
	}
	if a.err != nil {
		clear(p)
	}
}

func (a *answer) u8() uint8 {
	var b [1]byte
	a.read(b[:])
	return b[0]
}

func (a *answer) u16() uint16 {
	var b [2]byte
	a.read(b[:])
	return binary.LittleEndian.Uint16(b[:])
}

func (a *answer) u32() uint32 {
	var b [4]byte
	a.read(b[:])
	return binary.LittleEndian.Uint32(b[:])
}

func (a *answer) u64() uint64 {
	var b [8]byte
	a.read(b[:])
	return binary.LittleEndian.Uint64(b[:])
}

func (a *answer) size() int {
	if a.err != nil {
		return 0
	}
	n, err := binary.ReadUvarint(a.r)
	if err == nil && n > maxText {
		err = errors.New("a text of the answer is too long")
	}
	if a.err = err; err != nil {
		return 0
	}
	return int(n)
}

func (a *answer) text() string {
	p := make([]byte, a.size())
	a.read(p)
	return string(p)
}

func (a *answer) texts(list ...*string) {
	for _, s := range list {
		*s = a.text()
	}
}

func (a *answer) time() time.Time {
	n := int64(a.u64())
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}

func (a *answer) id() (id trail.ID) {
	a.read(id[:])
	return id
}

func (a *answer) hash() (h trail.Hash) {
	a.read(h[:])
	return h
}

func (a *answer) address() netip.AddrPort {
	var b [16]byte
	a.read(b[:])
	port := a.u16()
	if b == [16]byte{} {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(netip.AddrFrom16(b).Unmap(), port)
}
