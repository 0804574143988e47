package h2

import (
	"golang.org/x/net/http2"

	"github.com/clearspan/clearspan/appliance/service/web/adapt"
)

// frame takes one frame. The caller holds the lock.
func (x *Session) frame(from, to *conn, frame http2.Frame) error {
	h := frame.Header()
	switch frame := frame.(type) {
	case *http2.MetaHeadersFrame:
		x.room(to)
		return x.header(from, to, frame)
	case *http2.DataFrame:
		x.room(to)
		return x.data(from, to, frame)
	case *http2.WindowUpdateFrame:
		return x.windowUpdate(from, to, h.StreamID, int64(frame.Increment))
	case *http2.SettingsFrame:
		return x.settings(from, to, frame)
	case *http2.RSTStreamFrame:
		if !x.known(from, h.StreamID) {
			return adapt.Refuse(from.kind, adapt.Protocol)
		}
		x.room(to)
		if st := x.find(from, h.StreamID); st != nil {
			// Octets of a request that come behind its answer are met with StreamClosed.
			if (frame.ErrCode == http2.ErrCodeNo || frame.ErrCode == http2.ErrCodeStreamClosed) && x.satisfied(st, from.kind) {
				return nil
			}
			if id := st.id(to); id != 0 {
				to.writer.WriteRSTStream(id, frame.ErrCode)
				to.kick()
			}
			x.drop(st, &adapt.BodyError{Err: errReset})
		}
	case *http2.PingFrame:
		x.room(to)
		to.writer.WritePing(frame.IsAck(), frame.Data)
		to.kick()
	case *http2.GoAwayFrame:
		x.room(to)
		x.goAway(from, to, frame)
	case *http2.PushPromiseFrame:
		return adapt.Refuse(from.kind, adapt.Protocol) // it was switched off
	}
	return nil // priorities of RFC 7540, extensions
}

// healthy returns why the session cannot go on.
func (x *Session) healthy(c *conn) error {
	if x.err == nil && c.out.Len() > maxQueue+maxFields+maxAnswers {
		return adapt.Refuse(c.kind, adapt.Flood)
	}
	return x.err
}
