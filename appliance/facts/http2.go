package facts

import (
	"cmp"
	"encoding/binary"
	"maps"
	"slices"
	"strconv"

	"golang.org/x/net/http2/hpack"

	"github.com/clearspan/clearspan/decrypt/proto"
)

const (
	preface       = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" // RFC 9113, Section 3.4
	frameHeader   = 9
	maxStreams    = 256       // followed at a time
	maxBlock      = 64 << 10  // octets of a header block
	maxTable      = 64 << 10  // of a dynamic table
	maxDecoded    = 16 << 20  // octets of fields of a session
	defaultTable  = 4096      // RFC 9113, Section 6.5.2
	settingsTable = uint16(1) // SETTINGS_HEADER_TABLE_SIZE
)

// Types and flags of frames (RFC 9113, Section 6).
const (
	typeData, typeHeaders, typeReset, typeSettings, typePromise, typeContinuation = 0, 1, 3, 4, 5, 9

	flagEndStream, flagACK, flagEndHeaders, flagPadded, flagPriority = 1, 1, 4, 8, 32
)

// http2 follows HTTP/2 (RFC 9113).
type http2 struct {
	s       *Session
	sides   [2]http2Side
	streams map[uint32]*Exchange // whose answers are not complete
	highest uint32               // stream of the client's
	decoded int                  // octets of fields
	fields  []hpack.HeaderField
	done    bool // no more exchanges are kept: streams are counted, blocks passed over
}

// http2Side is one direction.
type http2Side struct {
	preface int // octets of it that are due
	head    [frameHeader]byte
	have    int  // octets of head
	in      bool // the frame of head is under way
	left    int  // octets of it that are due
	padding int  // of a DATA frame, with its length; -1: its length is due
	block   []byte
	stream  uint32 // whose block goes on
	fresh   bool   // and is new
	ends    bool   // the block's frame ends the stream
	decoder *hpack.Decoder
}

func newHTTP2(s *Session) *http2 {
	h := &http2{s: s, streams: make(map[uint32]*Exchange)}
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

func (h *http2) client(p []byte) bool { return h.take(proto.ClientToOrigin, p) }
func (h *http2) origin(p []byte) bool { return h.take(proto.OriginToClient, p) }

func (h *http2) take(dir proto.Direction, p []byte) bool {
	side := &h.sides[dir]
	if side.preface > 0 {
		n := min(side.preface, len(p))
		if due := preface[len(preface)-side.preface:]; string(p[:n]) != due[:n] {
			return false
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
				return true
			}
			if side.have = 0; !h.begin(dir, side) {
				return false
			}
			if side.left > 0 {
				continue
			}
		}
		n := min(side.left, len(p))
		if !h.payload(dir, side, p[:n]) {
			return false
		}
		p = p[n:]
		if side.left -= n; side.left > 0 {
			return true
		}
		side.in = false
		if !h.end(dir, side) {
			return false
		}
	}
	return true
}

func (side *http2Side) kind() byte       { return side.head[3] }
func (side *http2Side) flag(f byte) bool { return side.head[4]&f != 0 }
func (side *http2Side) identifier() uint32 {
	return binary.BigEndian.Uint32(side.head[5:]) & (1<<31 - 1)
}

// gathered reports whether the payload of the frame is read whole.
func (h *http2) gathered(side *http2Side) bool {
	switch side.kind() {
	case typeHeaders, typeContinuation, typePromise:
		return !h.done
	case typeSettings:
		return !h.done && !side.flag(flagACK)
	}
	return false
}

// begin starts the frame whose header is there.
func (h *http2) begin(dir proto.Direction, side *http2Side) bool {
	side.in = true
	side.left = int(side.head[0])<<16 | int(side.head[1])<<8 | int(side.head[2])
	side.padding = 0
	kind, id := side.kind(), side.identifier()
	if (side.stream != 0) != (kind == typeContinuation) || kind == typeContinuation && id != side.stream {
		return h.done // a block is not interrupted (Section 6.10)
	}
	if kind == typeHeaders {
		side.fresh = dir == proto.ClientToOrigin && id > h.highest
	}
	switch {
	case kind == typeHeaders && side.fresh:
		h.highest = id
		if h.done {
			h.s.exchanged(Exchange{})
		}
	case kind == typeData && side.flag(flagPadded):
		side.padding = -1
	}
	if h.gathered(side) && len(side.block)+side.left > maxBlock {
		return false
	}
	return true
}

// payload takes octets of the frame's payload.
func (h *http2) payload(dir proto.Direction, side *http2Side, p []byte) bool {
	switch {
	case h.gathered(side):
		side.block = append(side.block, p...)
	case side.kind() == typeData && dir == proto.OriginToClient && !h.done:
		if side.padding < 0 && len(p) > 0 {
			side.padding = int(p[0]) + 1 // taken off at the frame's end
		}
		if x := h.streams[side.identifier()]; x != nil {
			x.Length += uint64(len(p))
		}
	}
	return true
}

// end takes the frame for complete.
func (h *http2) end(dir proto.Direction, side *http2Side) bool {
	if h.done {
		return true
	}
	id := side.identifier()
	switch side.kind() {
	case typeData:
		if x := h.streams[id]; x != nil && dir == proto.OriginToClient {
			x.Length -= min(x.Length, uint64(max(side.padding, 0)))
		}
		if side.flag(flagEndStream) {
			h.ended(dir, id)
		}
	case typeReset:
		h.complete(id)
	case typeSettings:
		h.settings(dir, side.block)
		side.block = nil
	case typeHeaders, typePromise:
		if !side.strip() {
			return false
		}
		side.stream, side.ends = id, side.kind() == typeHeaders && side.flag(flagEndStream)
		if side.kind() == typePromise {
			if len(side.block) < 4 {
				return false
			}
			side.stream = binary.BigEndian.Uint32(side.block) & (1<<31 - 1)
			side.block = side.block[4:]
		}
		fallthrough
	case typeContinuation:
		if side.flag(flagEndHeaders) {
			return h.header(dir, side)
		}
		if side.kind() == typePromise {
			return false // rare, and its CONTINUATION is on another stream
		}
	}
	return true
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
func (h *http2) settings(dir proto.Direction, b []byte) {
	for ; len(b) >= 6; b = b[6:] {
		if binary.BigEndian.Uint16(b) == settingsTable {
			size := min(binary.BigEndian.Uint32(b[2:]), maxTable)
			h.sides[dir^1].decoder.SetAllowedMaxDynamicTableSize(max(size, defaultTable))
		}
	}
}

// header decodes a whole block.
func (h *http2) header(dir proto.Direction, side *http2Side) bool {
	id, kind := side.stream, side.kind()
	h.fields = h.fields[:0]
	_, err := side.decoder.Write(side.block)
	if closed := side.decoder.Close(); err != nil || closed != nil || h.decoded > maxDecoded {
		return false
	}
	side.block, side.stream = nil, 0
	x := h.streams[id]
	switch {
	case kind == typePromise && x == nil || side.fresh:
		if len(h.streams) >= maxStreams {
			return false
		}
		x = &Exchange{}
		h.streams[id] = x
		for _, f := range h.fields {
			switch f.Name {
			case ":method":
				x.Method = clip(f.Value, maxMethod)
			case ":authority":
				x.Host = clip(f.Value, maxHost)
			case "host":
				x.Host = cmp.Or(x.Host, clip(f.Value, maxHost))
			case ":path":
				_, x.Path = h.s.options.path(f.Value)
			}
		}
	case dir == proto.OriginToClient && x != nil && x.Status == 0: // else trailers
		for _, f := range h.fields {
			switch f.Name {
			case ":status":
				if n, err := strconv.ParseUint(f.Value, 10, 10); err == nil && n >= 200 {
					x.Status = int(n)
				}
			case "content-type":
				x.Type = mediaType(f.Value)
			}
		}
	}
	if side.ends {
		h.ended(dir, id)
	}
	return true
}

// ended notes that one direction of a stream is over.
func (h *http2) ended(dir proto.Direction, id uint32) {
	if dir == proto.OriginToClient {
		h.complete(id)
	}
}

// complete counts a stream's exchange.
func (h *http2) complete(id uint32) {
	x := h.streams[id]
	if x == nil {
		return
	}
	delete(h.streams, id)
	h.s.exchanged(*x)
	if !h.s.keeps() {
		h.count()
	}
}

// count gives up details: nothing more would be kept.
func (h *http2) count() {
	h.close()
	h.done = true
	for dir := range h.sides {
		h.sides[dir].decoder, h.sides[dir].block = nil, nil
	}
	h.fields = nil
}

// close counts what is not complete.
func (h *http2) close() {
	for _, id := range slices.Sorted(maps.Keys(h.streams)) {
		h.s.exchanged(*h.streams[id])
	}
	clear(h.streams)
}
