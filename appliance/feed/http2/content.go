package http2

import (
	"strconv"

	"github.com/clearspan/clearspan/mirror"
)

// chunk shows the frame of a chunk of size octets, if content of st is shown in
// chunks: the end of the chunk before it, and its size.
func (r *renderer) chunk(st *stream, dir mirror.Direction, size int) {
	h := &st.halves[dir]
	if size == 0 || h.phase != content || h.framing != chunked {
		return
	}
	chunk := r.scratch[:0]
	if h.chunk {
		chunk = append(chunk, "\r\n"...)
	}
	h.chunk = true
	chunk = append(strconv.AppendUint(chunk, uint64(size), 16), "\r\n"...)
	r.account.say(st.conversation, dir, chunk)
}

// content shows content of a stream; nil: one that is over.
func (r *renderer) content(st *stream, dir mirror.Direction, p []byte) {
	if st == nil || st.gone {
		r.account.lose(dir, uint64(len(p)), mirror.ReasonEnded)
		return
	}
	h := &st.halves[dir]
	shown := p
	switch {
	case h.phase == expecting:
		r.account.lose(dir, uint64(len(p)), ReasonMalformed)
		return
	case h.phase == complete:
		r.account.lose(dir, uint64(len(p)), mirror.ReasonEnded)
		return
	case h.framing == none:
		shown = nil
	case h.framing == length:
		shown = p[:min(uint64(len(p)), h.left)]
		h.left -= uint64(len(shown))
	}
	r.account.exactly(st.conversation, dir, shown)
	r.account.lose(dir, uint64(len(p)-len(shown)), ReasonExcess)
}

// end shows END_STREAM: the last chunk, and the end of a tunnel's direction.
func (r *renderer) end(st *stream, dir mirror.Direction) {
	h := &st.halves[dir]
	if h.phase == content && h.framing == chunked {
		r.account.say(st.conversation, dir, append(r.lastChunk(h), "\r\n"...))
	}
	if h.framing == tunnel {
		st.conversation.End(dir)
	}
	h.phase = complete
}

// lastChunk returns the start of the last chunk, to which trailers are appended.
func (r *renderer) lastChunk(h *half) []byte {
	if h.chunk {
		return append(r.scratch[:0], "\r\n0\r\n"...)
	}
	return append(r.scratch[:0], "0\r\n"...)
}
