package request

import "github.com/clearspan/clearspan/decrypt/proto/http2"

// frames finds the ends of an origin's frames, so that what the client is told stands
// between them. Nothing stands within a header block (RFC 9113, Section 4.3).
type frames struct {
	header [http2.HeaderLength]byte
	have   int // octets of header
	left   int // of the frame's payload
	block  bool

	said   []reply // what waits to be said
	credit uint32  // and to be given back of the connection's window
	buf    []byte
	out    passage

	sizes []uint32 // tables of settings that the origin has not acknowledged, see allow
	last  uint32   // of the last settings
	table uint32   // in force
	owed  bool     // the next header block has to tell of a smaller table
	spoke bool     // the origin has sent its first frame, which is SETTINGS
}

// newFrames is at the beginning of what an origin says.
func newFrames() frames { return frames{last: http2.DefaultTable, table: http2.DefaultTable} }

// due reports whether something can be said now.
func (f *frames) due() bool { return (len(f.said) > 0 || f.credit > 0) && f.spoke && f.between() }

// between reports whether a frame may begin here.
func (f *frames) between() bool { return f.have == 0 && f.left == 0 && !f.block }

// data follows p and returns it with what is to be said, in the first place for it.
func (f *frames) data(p []byte) []byte {
	f.out.reset(p)
	at := 0
	for {
		if f.due() {
			f.say()
		}
		if at == len(p) {
			return f.out.octets()
		}
		n := 0
		if f.have < len(f.header) {
			n = copy(f.header[f.have:], p[at:])
			if f.have += n; f.have == len(f.header) {
				f.begin(http2.ParseHeader(f.header[:]))
			}
		} else {
			n = min(f.left, len(p)-at)
			f.left -= n
		}
		f.out.keep(at, at+n)
		if at += n; f.have == len(f.header) && f.left == 0 {
			f.have, f.spoke = 0, true
		}
	}
}

// begin takes the header of a frame.
func (f *frames) begin(h http2.Header) {
	f.left = h.Length
	switch h.Type {
	case http2.Headers, http2.PushPromise, http2.Continuation:
		f.block = !h.Has(http2.EndHeaders)
		f.owed = false
	case http2.Settings:
		if h.Has(http2.ACK) && len(f.sizes) > 0 {
			f.owed = f.owed || f.sizes[0] < f.table
			f.table, f.sizes = f.sizes[0], f.sizes[1:]
		}
	}
}

// allow notes the client's settings: the size of the table that they leave to the origin,
// or none. The client expects a header block that tells of a smaller table first (RFC 7541,
// Section 4.2).
func (f *frames) allow(size uint32, set bool) {
	if set {
		f.last = size
	}
	if len(f.sizes) < maxSizes {
		f.sizes = append(f.sizes, f.last)
	}
}

// maxSizes bounds the settings that wait for their acknowledgement.
const maxSizes = 64

// reply is the answer to a request that was refused.
type reply struct {
	stream uint32
	status int
	reset  bool // the client is told that its content is not awaited
}

// answer has a request answered by a status without content.
func (f *frames) answer(stream uint32, status int, reset bool) {
	f.said = append(f.said, reply{stream, status, reset})
}

// say says what waits.
func (f *frames) say() {
	b := f.buf[:0]
	for _, s := range f.said {
		b = f.appendAnswer(b, s)
	}
	if f.credit > 0 {
		b = http2.AppendWindowUpdate(b, 0, f.credit)
	}
	f.credit, f.said, f.buf = 0, f.said[:0], b
	f.out.put(b)
	if cap(b) > spare {
		f.said, f.buf = nil, nil
	}
}

func (f *frames) appendAnswer(b []byte, s reply) []byte {
	block := make([]byte, 0, 16)
	if f.owed {
		block, f.owed = appendSize(block, f.table), false
	}
	block = append(block, 0x08, 3, byte('0'+s.status/100), byte('0'+s.status/10%10), byte('0'+s.status%10)) // :status, not indexed
	b = http2.AppendHeaders(b, s.stream, true, block)
	if s.reset {
		b = http2.AppendRSTStream(b, s.stream, http2.NoError)
	}
	return b
}

// appendSize appends a dynamic table size update (RFC 7541, Section 6.3).
func appendSize(p []byte, size uint32) []byte {
	const most = 1<<5 - 1
	if size < most {
		return append(p, 0x20|byte(size))
	}
	p = append(p, 0x20|most)
	for size -= most; size >= 1<<7; size >>= 7 {
		p = append(p, byte(size)|1<<7)
	}
	return append(p, byte(size))
}
