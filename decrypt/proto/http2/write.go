package http2

import "encoding/binary"

// Append appends the header of a frame to p.
func (h Header) Append(p []byte) []byte {
	p = append(p, byte(h.Length>>16), byte(h.Length>>8), byte(h.Length), byte(h.Type), byte(h.Flags))
	return binary.BigEndian.AppendUint32(p, h.Stream&MaxStream)
}

// flag returns f if it is set, else none.
func flag(f Flags, set bool) Flags {
	if set {
		return f
	}
	return 0
}

// AppendData appends a DATA frame. Its content must fit the receiver's
// SETTINGS_MAX_FRAME_SIZE.
func AppendData(p []byte, stream uint32, end bool, content []byte) []byte {
	p = Header{len(content), Data, flag(EndStream, end), stream}.Append(p)
	return append(p, content...)
}

// AppendHeaders appends a header block: a HEADERS frame, and CONTINUATION frames for
// what exceeds [DefaultFrame].
func AppendHeaders(p []byte, stream uint32, end bool, block []byte) []byte {
	h := Header{min(len(block), DefaultFrame), Headers, flag(EndStream, end), stream}
	for {
		h.Flags |= flag(EndHeaders, h.Length == len(block))
		p = append(h.Append(p), block[:h.Length]...)
		if block = block[h.Length:]; len(block) == 0 {
			return p
		}
		h = Header{min(len(block), DefaultFrame), Continuation, 0, stream}
	}
}

// AppendRSTStream appends a RST_STREAM frame.
func AppendRSTStream(p []byte, stream uint32, code Code) []byte {
	p = Header{4, RSTStream, 0, stream}.Append(p)
	return binary.BigEndian.AppendUint32(p, uint32(code))
}

// AppendSettings appends a SETTINGS frame.
func AppendSettings(p []byte, list ...Setting) []byte {
	p = Header{len(list) * settingLength, Settings, 0, 0}.Append(p)
	for _, s := range list {
		p = binary.BigEndian.AppendUint16(p, uint16(s.ID))
		p = binary.BigEndian.AppendUint32(p, s.Value)
	}
	return p
}

// AppendSettingsACK appends the answer to a SETTINGS frame.
func AppendSettingsACK(p []byte) []byte { return Header{0, Settings, ACK, 0}.Append(p) }

// AppendPing appends a PING frame. data is eight octets.
func AppendPing(p []byte, ack bool, data []byte) []byte {
	p = Header{8, Ping, flag(ACK, ack), 0}.Append(p)
	return append(p, data[:8]...)
}

// AppendGoAway appends a GOAWAY frame.
func AppendGoAway(p []byte, last uint32, code Code, debug []byte) []byte {
	p = Header{8 + len(debug), GoAway, 0, 0}.Append(p)
	p = binary.BigEndian.AppendUint32(p, last&MaxStream)
	p = binary.BigEndian.AppendUint32(p, uint32(code))
	return append(p, debug...)
}

// AppendWindowUpdate appends a WINDOW_UPDATE frame. stream 0 is the connection's
// window.
func AppendWindowUpdate(p []byte, stream, increment uint32) []byte {
	p = Header{4, WindowUpdate, 0, stream}.Append(p)
	return binary.BigEndian.AppendUint32(p, increment&MaxStream)
}
