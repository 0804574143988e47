package ws

import (
	"bytes"
	"io"
	"slices"

	"github.com/clearspan/clearspan/appliance/service/web/adapt"
	"github.com/clearspan/clearspan/decrypt/proto/http1"
	"github.com/clearspan/clearspan/decrypt/proto/websocket"
)

// carry reads frames until the end sends no more, and passes that on.
func (s *side) carry() error {
	for {
		if err := s.in.Await(); err != nil {
			return err
		}
		h, size, fault := s.frames.Next(s.in.Unread())
		if fault != websocket.Sound {
			return s.broken(fault)
		}
		if size == 0 {
			switch err := s.in.Fill(); err {
			case nil:
				continue
			case io.EOF: // what is held of a message is of no use to its receiver
				return s.end()
			default:
				return err
			}
		}
		more, err := s.frame(h, size)
		if err == io.EOF || err == nil && !more {
			return s.end()
		}
		if err != nil {
			return err
		}
	}
}

// end carries the end on.
func (s *side) end() error {
	s.drain()
	if err := s.in.Err(); err != io.EOF {
		return err
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.shutOff || s.conn.why() != nil { // shut does it
		return nil
	}
	s.shutOff = true
	return s.out.CloseWrite()
}

// broken returns the error of a side whose frames cannot be read.
func (s *side) broken(fault websocket.Fault) error {
	return &closing{websocket.ProtocolError, fault.String(), adapt.Refuse(s.kind, adapt.BadFrame)}
}

// frame takes a frame whose header stands in the buffer. It returns false behind the
// last one.
func (s *side) frame(h websocket.Header, size int) (more bool, err error) {
	if h.Opcode.IsControl() {
		return s.control(h, size)
	}
	if h.Opcode != websocket.Continuation {
		s.op, s.length, s.passes = h.Opcode, 0, false
	}
	if err := s.take(size, h.Length > 0); err != nil {
		return false, err
	}
	for left := h.Length; left > 0; {
		if len(s.in.Unread()) == 0 {
			if err := s.in.Fill(); err != nil {
				return false, err
			}
		}
		n := int(min(left, int64(len(s.in.Unread()))))
		left -= int64(n)
		s.length += int64(n)
		if err := s.take(n, left > 0); err != nil {
			return false, err
		}
	}
	if h.Fin && !s.passes {
		err := s.show()
		s.free()
		return true, err
	}
	return true, nil
}

// control passes on a control frame, once it is whole. A Close frame is the last one.
func (s *side) control(h websocket.Header, size int) (more bool, err error) {
	size += int(h.Length)
	for len(s.in.Unread()) < size {
		if err := s.in.Fill(); err != nil {
			return false, err
		}
	}
	frame := s.in.Unread()[:size]
	if h.Opcode == websocket.Close {
		payload := bytes.Clone(frame[size-int(h.Length):])
		if h.Masked {
			websocket.Mask(h.Key, 0, payload)
		}
		if fault := websocket.CheckClose(payload); fault != websocket.Sound {
			return false, s.broken(fault)
		}
	}
	s.in.Consume(size)
	return h.Opcode != websocket.Close, s.write(frame, false)
}

// take takes n octets of the buffer that belong to the message. within tells that its
// frame goes on behind them.
func (s *side) take(n int, within bool) error {
	p := s.in.Unread()[:n]
	s.in.Consume(n)
	if !s.passes && !s.hold(p) {
		if !s.conn.BypassLong(s.kind, MaxMessage) {
			return &closing{websocket.MessageTooBig, "message too long to be checked", adapt.Refuse(s.kind, adapt.LongMessage)}
		}
		s.passes = true
		err := s.write(s.held, true)
		s.free()
		if err != nil {
			return err
		}
	}
	if s.passes {
		return s.write(p, within)
	}
	return nil
}

// hold keeps p of the message, if there is room.
func (s *side) hold(p []byte) bool {
	need := len(s.held) + len(p)
	if need > MaxMessage {
		return false
	}
	if need > cap(s.held) {
		bigger := slices.Grow([]byte(nil), max(need, min(2*cap(s.held), MaxMessage)))
		if !s.conn.Hold(cap(bigger)) {
			return false
		}
		held := append(bigger, s.held...)
		s.free()
		s.held, s.room = held, cap(bigger)
	}
	s.held = append(s.held, p...)
	return true
}

// free gives back the memory of the message.
func (s *side) free() {
	s.conn.Free(s.room)
	s.held, s.room = nil, 0
}

// show shows the message to the services, and passes on what they make of it.
func (s *side) show() error {
	if s.length == 0 {
		return s.write(s.held, false)
	}
	m := message(s.conn.handshake, s.kind, s.op, s.length)
	m.Body = websocket.NewContent(s.held)
	head := m.Request
	if s.kind == adapt.Response {
		head = m.Response
	}
	v, err := s.conn.Adapt(s.conn.ctx, m, adapt.MediaType(http1.Section(head)))
	if err != nil {
		return err
	}
	defer v.Close()
	switch {
	case v.Failed:
		return &closing{websocket.InternalError, "message could not be checked", nil}
	case v.Blocked, s.withheld(&v):
		return &closing{websocket.PolicyViolation, "message blocked by policy", nil}
	case !v.Changed():
		return s.write(s.held, false)
	}
	return s.replace(&v)
}

// withheld reports whether a service gave a response of another status in place of the
// message.
func (s *side) withheld(v *adapt.Verdict) bool {
	if s.kind != adapt.Response || !v.Changed() {
		return false
	}
	h, ok := adapt.ParseHead(v.Header, adapt.Response)
	return !ok || h.Status != 200
}

// replace passes on the content that the services gave, as one frame, or the frames as
// they came if it is theirs.
func (s *side) replace(v *adapt.Verdict) error {
	var content []byte
	if v.Body != nil {
		var err error
		if content, err = io.ReadAll(io.LimitReader(v.Body, MaxMessage+1)); err != nil || len(content) > MaxMessage {
			return &closing{websocket.InternalError, "message could not be checked", nil}
		}
	}
	if int64(len(content)) == s.length && s.same(content) {
		return s.write(s.held, false)
	}
	return s.write(websocket.AppendFrame(nil, s.op, s.key(), content), false)
}

// same reports whether the held message has that content.
func (s *side) same(content []byte) bool {
	r, part := websocket.NewContent(s.held), make([]byte, 4<<10)
	for {
		n, err := r.Read(part)
		if n > len(content) || !bytes.Equal(part[:n], content[:n]) {
			return false
		}
		content = content[n:]
		if err != nil {
			return err == io.EOF && len(content) == 0
		}
	}
}
