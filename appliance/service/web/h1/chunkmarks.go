package h1

import (
	"strconv"

	"github.com/clearspan/clearspan/decrypt/proto/http1"
)

// maxMarks bounds the framing that is kept between a service's reading and the
// engine's writing.
const maxMarks = 64 << 10

// mark is framing that stood before the content octet at pos.
type mark struct {
	pos int64
	n   int
}

// marks is the framing of a chunked body whose content is elsewhere for now. If
// there is too much of it, chunks behind that point lose their borders.
type marks struct {
	list   []mark
	octets []byte
	lost   bool
	lostAt int64
}

// add keeps framing p before the content at pos. It copies p.
func (m *marks) add(pos int64, p []byte) {
	if len(p) == 0 {
		return
	}
	last := len(m.list) - 1
	joins := last >= 0 && m.list[last].pos == pos
	switch {
	case m.lost:
		return
	case !joins && len(m.octets)+16*len(m.list) > maxMarks:
		m.lost, m.lostAt = true, pos
		return
	case joins:
		m.list[last].n += len(p)
	default:
		m.list = append(m.list, mark{pos, len(p)})
	}
	m.octets = append(m.octets, p...)
}

// take appends to dst the framing before pos, if it is known.
func (m *marks) take(dst []byte, pos int64) []byte {
	n, k := 0, 0
	for k < len(m.list) && m.list[k].pos <= pos {
		n += m.list[k].n
		k++
	}
	if k == 0 {
		return dst
	}
	dst = append(dst, m.octets[:n]...)
	m.octets = m.octets[:copy(m.octets, m.octets[n:])]
	m.list = m.list[:copy(m.list, m.list[k:])]
	return dst
}

// next is the position of the next framing, or what is lost, at most limit.
func (m *marks) next(limit int64) int64 {
	switch {
	case len(m.list) > 0:
		return min(m.list[0].pos, limit)
	case m.lost && m.lostAt > 0:
		return min(m.lostAt, limit)
	}
	return limit
}

// reframer writes the content of a body with the framing it came with.
type reframer struct {
	b    *body
	pos  int64 // octets of content written
	open bool  // a chunk of our own wants its CRLF
}

// append appends content p to dst with its framing.
func (r *reframer) append(dst, p []byte) []byte {
	if r.b.framing.Extent != http1.ByChunks {
		r.pos += int64(len(p))
		return append(dst, p...)
	}
	r.b.mu.Lock()
	defer r.b.mu.Unlock()
	m := &r.b.marks
	for len(p) > 0 {
		dst = m.take(dst, r.pos)
		if r.own() {
			dst = r.appendSize(dst, len(p))
			r.pos += int64(len(p))
			return append(dst, p...)
		}
		limit := r.pos + int64(len(p))
		to := m.next(limit)
		if m.lost && m.lostAt > r.pos {
			to = min(to, m.lostAt)
		}
		n := int(to - r.pos)
		dst = append(dst, p[:n]...)
		r.pos, p = to, p[n:]
	}
	return dst
}

// own tells that the chunk at pos has lost its border.
func (r *reframer) own() bool { return r.b.marks.lost && r.pos >= r.b.marks.lostAt }

// appendSize begins a chunk of n octets.
func (r *reframer) appendSize(dst []byte, n int) []byte {
	if r.open || r.pos == r.b.marks.lostAt {
		dst = append(dst, "\r\n"...)
	}
	r.open = true
	return append(strconv.AppendUint(dst, uint64(n), 16), "\r\n"...)
}

// border appends the framing that was read before pos, and reports whether the
// body goes on behind it as it came.
func (r *reframer) border(dst []byte) ([]byte, bool) {
	r.b.mu.Lock()
	defer r.b.mu.Unlock()
	if r.b.marks.lost || r.pos != r.b.pos {
		return dst, false
	}
	return r.b.marks.take(dst, r.pos), true
}

// finish appends what stands behind all content.
func (r *reframer) finish(dst []byte) []byte {
	if r.b.framing.Extent != http1.ByChunks {
		return dst
	}
	r.b.mu.Lock()
	defer r.b.mu.Unlock()
	dst = r.b.marks.take(dst, r.pos)
	if !r.own() {
		return dst
	}
	dst = append(append(dst, "\r\n0\r\n"...), r.b.content.Chunks().Trailers()...)
	return append(dst, "\r\n"...)
}
