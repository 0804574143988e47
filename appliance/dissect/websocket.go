package dissect

import (
	"bytes"
	"sync"

	"github.com/clearspan/clearspan/decrypt/proto"
	"github.com/clearspan/clearspan/decrypt/proto/deflate"
	"github.com/clearspan/clearspan/decrypt/proto/http1"
	"github.com/clearspan/clearspan/decrypt/proto/websocket"
)

// websocketReader follows WebSocket (RFC 6455) with compression (RFC 7692). Its directions do
// not depend on each other: one is read on if the other cannot be.
type websocketReader struct {
	s       *Session
	opening uint64 // number of the exchange that opened it
	sides   [2]websocketSide
}

// websocketSide is one direction.
type websocketSide struct {
	frames  *websocket.Reader
	room    [websocket.MaxHeader]byte
	begun   int   // octets in room: the beginning of a header
	left    int64 // of the payload at hand
	at      int64 // in that payload
	header  websocket.Header
	message Exchange
	open    bool // message is under way
	over    bool // nothing is read any more

	extended bool // messages may be deflated
	alone    bool // each of them is deflated for itself
	deflated bool // the message at hand is
	torn     bool // and cannot be inflated
	inflater *deflate.Inflater
	inflated func(p []byte)
}

// newWebsocket returns a reader of what follows a handshake, whose answer names extensions.
func newWebsocket(s *Session, opening uint64, extensions []byte) *websocketReader {
	w := &websocketReader{s: s, opening: opening}
	for dir := range proto.Direction(2) {
		side := &w.sides[dir]
		side.frames = websocket.NewLoose(dir)
		side.inflated = func(p []byte) { s.content(&side.message, dir, p) }
	}
	w.extend(extensions)
	return w
}

// extend reads the extensions of an answer (RFC 7692, Section 7).
func (w *websocketReader) extend(extensions []byte) {
	for one := range bytes.SplitSeq(extensions, []byte{','}) {
		name, parameters, _ := bytes.Cut(one, []byte{';'})
		if !http1.Is(bytes.TrimSpace(name), "permessage-deflate") {
			continue
		}
		for dir := range w.sides {
			w.sides[dir].extended = true
		}
		for p := range bytes.SplitSeq(parameters, []byte{';'}) {
			switch p = bytes.TrimSpace(p); {
			case http1.Is(p, "client_no_context_takeover"):
				w.sides[proto.ClientToOrigin].alone = true
			case http1.Is(p, "server_no_context_takeover"):
				w.sides[proto.OriginToClient].alone = true
			}
		}
		return
	}
}

func (w *websocketReader) data(dir proto.Direction, p []byte) Cause {
	side := &w.sides[dir]
	for len(p) > 0 && !side.over {
		if side.left == 0 {
			n, ok := side.head(p)
			if p = p[n:]; !ok {
				w.giveUp(dir, StopBroken)
			} else if side.begun == 0 {
				w.begin(dir)
			}
			continue
		}
		n := int(min(side.left, int64(len(p))))
		if !side.header.Opcode.IsControl() {
			w.payload(dir, p[:n])
		}
		side.left, side.at, p = side.left-int64(n), side.at+int64(n), p[n:]
		w.settle(dir)
	}
	return reading
}

// head takes the header of a frame off p, or a part of it: then begun is not 0.
func (side *websocketSide) head(p []byte) (n int, ok bool) {
	before := side.begun
	side.begun += copy(side.room[before:], p)
	h, size, fault := side.frames.Next(side.room[:side.begun])
	if fault != websocket.Sound || h.Compressed && !side.extended {
		return 0, false
	}
	if size == 0 {
		return len(p), true
	}
	side.header, side.left, side.at, side.begun = h, h.Length, 0, 0
	return size - before, true
}

// begin begins a frame.
func (w *websocketReader) begin(dir proto.Direction) {
	side := &w.sides[dir]
	switch side.header.Opcode {
	case websocket.Close:
		side.over = true
		w.finish(dir, Cut)
		return
	case websocket.Text, websocket.Binary:
		side.open, side.deflated = true, side.header.Compressed
		w.s.open(&side.message)
		w.s.event().socket = WebSocket{Exchange: &side.message, Opening: w.opening, Direction: dir, Text: side.header.Opcode == websocket.Text}
		w.s.sink.Event(&w.s.event().socket)
		w.inflate(side)
	}
	w.settle(dir)
}

// inflate prepares for a message that may be deflated.
func (w *websocketReader) inflate(side *websocketSide) {
	switch {
	case !side.deflated:
	case side.inflater == nil:
		side.inflater = deflate.New(true)
	case side.alone && side.torn:
		side.inflater.Close()
		side.inflater, side.torn = deflate.New(true), false
	case side.alone:
		side.inflater.Reset()
	}
}

// maskPool has room for octets without their mask.
var maskPool = sync.Pool{New: func() any { return new([16 << 10]byte) }}

// payload takes octets of a message as they were sent.
func (w *websocketReader) payload(dir proto.Direction, p []byte) {
	side := &w.sides[dir]
	if !side.header.Masked {
		w.text(dir, p)
		return
	}
	room := maskPool.Get().(*[16 << 10]byte)
	for at := side.at; len(p) > 0; {
		n := min(len(p), len(room))
		websocket.Unmask(room[:n], side.header.Key, at, p[:n])
		w.text(dir, room[:n])
		at, p = at+int64(n), p[n:]
	}
	maskPool.Put(room)
}

// text takes octets of a message without their mask.
func (w *websocketReader) text(dir proto.Direction, p []byte) {
	side := &w.sides[dir]
	switch {
	case !side.deflated:
		w.s.content(&side.message, dir, p)
	case side.torn:
	case side.inflater.Write(p, side.inflated) > 0 || side.inflater.Broken():
		side.torn = true
	}
}

// flushed is what a sender leaves out at the end of a message that is deflated (RFC 7692,
// Section 7.2.1).
var flushed = []byte{0, 0, 0xff, 0xff}

// settle ends the message at hand if it is over.
func (w *websocketReader) settle(dir proto.Direction) {
	side := &w.sides[dir]
	if side.left > 0 || side.header.Opcode.IsControl() || !side.header.Fin {
		return
	}
	how := Complete
	if side.deflated {
		if w.text(dir, flushed); side.torn {
			how = Unread
			if side.message.holes[dir] > 0 {
				how = Lost
			}
		}
	}
	w.finish(dir, how)
}

// finish ends the message at hand, if there is one.
func (w *websocketReader) finish(dir proto.Direction, how Ending) {
	if side := &w.sides[dir]; side.open {
		side.open = false
		w.s.end(&side.message, dir, how)
	}
}

// giveUp stops reading a direction.
func (w *websocketReader) giveUp(dir proto.Direction, c Cause) {
	w.sides[dir].over = true
	w.s.missed(c)
	w.finish(dir, c.ending())
	if w.sides[dir].inflater != nil {
		w.sides[dir].inflater.Close()
	}
}

func (w *websocketReader) gap(dir proto.Direction, n uint64) Cause {
	side := &w.sides[dir]
	switch {
	case side.over:
		return reading
	case n > uint64(side.left):
		if side.open && side.left > 0 && !side.header.Opcode.IsControl() {
			w.s.hole(&side.message, dir, uint64(side.left))
		}
		w.giveUp(dir, StopGap)
		return reading
	case !side.header.Opcode.IsControl():
		w.s.hole(&side.message, dir, n)
		side.torn = side.torn || side.deflated
	}
	side.left, side.at = side.left-int64(n), side.at+int64(n)
	w.settle(dir)
	return reading
}

func (w *websocketReader) end(dir proto.Direction) {
	w.finish(dir, Cut)
	w.sides[dir].over = true
}

func (w *websocketReader) close(how Ending) {
	for dir := range proto.Direction(2) {
		side := &w.sides[dir]
		if w.finish(dir, how); side.inflater != nil {
			side.inflater.Close()
		}
		side.over = true
	}
}
