package dissect

import (
	"encoding/binary"

	"golang.org/x/net/http2/hpack"

	"github.com/clearspan/clearspan/decrypt/proto"
)

const (
	preface      = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" // RFC 9113, Section 3.4
	frameHeader  = 9
	maxBlock     = 64 << 10  // octets of a header block
	maxTable     = 64 << 10  // of a dynamic table
	maxDecoded   = 1 << 20   // octets of the fields of a block
	defaultTable = 4096      // RFC 9113, Section 6.5.2
	settingTable = uint16(1) // SETTINGS_HEADER_TABLE_SIZE
)

// Types and flags of frames (RFC 9113, Section 6).
const (
	typeData, typeHeaders, typeReset, typeSettings, typePromise, typeContinuation = 0, 1, 3, 4, 5, 9

	flagEndStream, flagACK, flagEndHeaders, flagPadded, flagPriority = 1, 1, 4, 8, 32
)

// http2Side is one direction.
type http2Side struct {
	preface int // octets of it that are due
	head    [frameHeader]byte
	have    int  // octets of head
	in      bool // the frame of head is under way
	left    int  // octets of it that are due
	padding int  // of a DATA frame; -1: its length is due
	block   []byte
	stream  uint32 // whose block goes on
	fresh   bool   // and is new
	ends    bool   // the block's frame ends the stream
	decoder *hpack.Decoder
}

func newHTTP2(s *Session) *http2Reader {
	h := &http2Reader{s: s, streams: make(map[uint32]*Exchange)}
	h.sides[proto.ClientToOrigin].preface = len(preface)
	for dir := range h.sides {
		d := hpack.NewDecoder(defaultTable, func(f hpack.HeaderField) {
			h.decoded += int(f.Size())
			h.fields = append(h.fields, f)
		})
		d.SetMaxStringLength(maxBlock)
		h.sides[dir].decoder = d
	}
	return h
}

func (h *http2Reader) data(dir proto.Direction, p []byte) Cause {
	side := &h.sides[dir]
	if side.preface > 0 {
		n := min(side.preface, len(p))
		if due := preface[len(preface)-side.preface:]; string(p[:n]) != due[:n] {
			return StopBroken
		}
		side.preface -= n
		p = p[n:]
	}
	for len(p) > 0 {
		if !side.in {
			n := copy(side.head[side.have:], p)
			side.have += n
			p = p[n:]
			if side.have < frameHeader {
				return reading
			}
			side.have = 0
			if c := h.begin(dir, side); c != reading {
				return c
			}
			if side.left > 0 {
				continue
			}
		}
		n := min(side.left, len(p))
		if c := h.payload(dir, side, p[:n]); c != reading {
			return c
		}
		p = p[n:]
		if side.left > 0 {
			return reading
		}
		side.in = false
		if c := h.ended(dir, side); c != reading {
			return c
		}
	}
	return reading
}

func (side *http2Side) kind() byte       { return side.head[3] }
func (side *http2Side) flag(f byte) bool { return side.head[4]&f != 0 }
func (side *http2Side) identifier() uint32 {
	return binary.BigEndian.Uint32(side.head[5:]) & (1<<31 - 1)
}

// gathered reports whether the payload of the frame is read whole.
func (h *http2Reader) gathered(side *http2Side) bool {
	switch side.kind() {
	case typeHeaders, typeContinuation, typePromise:
		return !h.brief
	case typeSettings:
		return !h.brief && !side.flag(flagACK)
	}
	return false
}

// begin starts the frame whose header is there.
func (h *http2Reader) begin(dir proto.Direction, side *http2Side) Cause {
	side.in = true
	side.left = int(side.head[0])<<16 | int(side.head[1])<<8 | int(side.head[2])
	side.padding = 0
	kind, id := side.kind(), side.identifier()
	if (side.stream != 0) != (kind == typeContinuation) || kind == typeContinuation && id != side.stream {
		if h.brief {
			return reading
		}
		return StopBroken // a block is not interrupted (Section 6.10)
	}
	if kind == typeHeaders {
		side.fresh = dir == proto.ClientToOrigin && id > h.highest
	}
	switch {
	case kind == typeHeaders && side.fresh:
		h.highest = id
		if h.brief {
			h.s.event.request = Request{}
			h.s.sink.Event(&h.s.event.request)
		}
	case kind == typeData && side.flag(flagPadded):
		side.padding = -1
	}
	if h.gathered(side) && len(side.block)+side.left > maxBlock {
		return StopBound
	}
	return reading
}

// payload takes octets of the frame's payload.
func (h *http2Reader) payload(dir proto.Direction, side *http2Side, p []byte) Cause {
	side.left -= len(p)
	switch {
	case h.gathered(side):
		side.block = append(side.block, p...)
	case side.kind() == typeData && !h.brief:
		if side.padding < 0 && len(p) > 0 {
			side.padding, p = int(p[0]), p[1:]
			if side.padding > side.left+len(p) {
				return StopBroken
			}
		}
		if n := side.left + len(p) - side.padding; n > 0 {
			if x := h.streams[side.identifier()]; x != nil {
				h.s.content(x, dir, p[:min(n, len(p))])
			}
		}
	}
	return reading
}

func (h *http2Reader) gap(dir proto.Direction, n uint64) Cause {
	side := &h.sides[dir]
	if !side.in || n > uint64(side.left) || h.gathered(side) || side.padding < 0 || side.kind() == typeReset && !h.brief {
		return StopGap
	}
	side.left -= int(n)
	if x := h.streams[side.identifier()]; x != nil && side.kind() == typeData {
		if lost := int(n) - max(0, side.padding-side.left); lost > 0 {
			h.s.hole(x, dir, uint64(lost))
		}
	}
	if side.left > 0 {
		return reading
	}
	side.in = false
	return h.ended(dir, side)
}

// ended takes the frame for complete.
func (h *http2Reader) ended(dir proto.Direction, side *http2Side) Cause {
	if h.brief {
		return reading
	}
	id := side.identifier()
	switch side.kind() {
	case typeData:
		if side.flag(flagEndStream) {
			h.over(dir, id, Complete)
		}
	case typeReset:
		h.reset(id)
	case typeSettings:
		h.settings(dir, side.block)
		side.block = nil
	case typeHeaders, typePromise:
		if !side.strip() {
			return StopBroken
		}
		side.stream, side.ends = id, side.kind() == typeHeaders && side.flag(flagEndStream)
		if side.kind() == typePromise {
			if len(side.block) < 4 {
				return StopBroken
			}
			side.stream = binary.BigEndian.Uint32(side.block) & (1<<31 - 1)
			side.block = side.block[4:]
			side.fresh = true
		}
		fallthrough
	case typeContinuation:
		if side.flag(flagEndHeaders) {
			return h.header(dir, side)
		}
		if side.kind() == typePromise {
			return StopBroken // rare, and its CONTINUATION is on another stream
		}
	}
	return reading
}

// strip removes padding and priority from the block's first frame.
func (side *http2Side) strip() bool {
	b := side.block
	pad := 0
	if side.flag(flagPadded) {
		if len(b) < 1 {
			return false
		}
		pad, b = int(b[0]), b[1:]
	}
	if side.kind() == typeHeaders && side.flag(flagPriority) {
		if len(b) < 5 {
			return false
		}
		b = b[5:]
	}
	if pad > len(b) {
		return false
	}
	side.block = b[:len(b)-pad]
	return true
}

// settings has the other direction's decoder obey what one end allows.
func (h *http2Reader) settings(dir proto.Direction, b []byte) {
	for ; len(b) >= 6; b = b[6:] {
		if binary.BigEndian.Uint16(b) == settingTable {
			size := min(binary.BigEndian.Uint32(b[2:]), maxTable)
			h.sides[dir^1].decoder.SetAllowedMaxDynamicTableSize(max(size, defaultTable))
		}
	}
}

// header decodes a whole block.
func (h *http2Reader) header(dir proto.Direction, side *http2Side) Cause {
	h.fields, h.decoded = h.fields[:0], 0
	_, err := side.decoder.Write(side.block)
	if closed := side.decoder.Close(); err != nil || closed != nil {
		return StopBroken
	}
	if h.decoded > maxDecoded {
		return StopBound
	}
	id := side.stream
	side.block, side.stream = nil, 0
	return h.block(dir, id, side.fresh, side.ends)
}
