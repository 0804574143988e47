package h2

import (
	"io"

	"github.com/clearspan/clearspan/appliance/service/web/adapt"
	"github.com/clearspan/clearspan/decrypt/proto/http2"
)

// take takes frames of one connection until its end.
func (x *Session) take(from, to *conn) error {
	for {
		frame, err := from.read()
		if err == io.EOF {
			return nil
		}
		if err := x.takeOne(from, to, frame, err); err != nil {
			return err
		}
	}
}

// takeOne takes one frame, or the error of reading it.
func (x *Session) takeOne(from, to *conn, frame *http2.Frame, err error) error {
	var block *headerBlock
	if err == nil && frame.Type == http2.Headers {
		block, err = from.decode(frame)
	}
	fault, _ := err.(*http2.Fault)
	switch {
	case fault != nil && !fault.Passed:
		return adapt.Refuse(from.kind, adapt.Protocol)
	case fault == nil && err != nil:
		return err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.lazy = from.ahead()
	switch {
	case fault != nil:
		x.abandon(x.find(from, fault.Stream), from, fault.Stream, fault.Code)
	case block != nil:
		x.room(to)
		err = x.header(from, to, block)
	default:
		err = x.frame(from, to, frame)
	}
	if x.lazy = x.lazy && from.ahead(); !x.lazy {
		from.kick()
		to.kick()
	}
	x.lazy = false
	if fault == nil && err != nil {
		return err
	}
	return x.healthy(from)
}

// frame takes one frame that is no header block. The caller holds the lock.
func (x *Session) frame(from, to *conn, f *http2.Frame) error {
	switch f.Type {
	case http2.Data:
		x.room(to)
		return x.data(from, to, f)
	case http2.WindowUpdate:
		return x.windowUpdate(from, to, f.Stream, int64(f.Increment))
	case http2.Settings:
		return x.settings(from, to, f)
	case http2.RSTStream:
		return x.reset(from, to, f)
	case http2.Ping:
		x.room(to)
		to.out.p = http2.AppendPing(to.out.buffer(), f.Has(http2.ACK), f.Body)
		to.kick()
	case http2.GoAway:
		x.room(to)
		x.goAway(from, to, f)
	case http2.PushPromise:
		return adapt.Refuse(from.kind, adapt.Protocol) // it was switched off
	}
	return nil // priorities of RFC 7540, extensions
}

// reset takes the end of a stream.
func (x *Session) reset(from, to *conn, f *http2.Frame) error {
	if !x.known(from, f.Stream) {
		return adapt.Refuse(from.kind, adapt.Protocol)
	}
	x.room(to)
	st := x.find(from, f.Stream)
	switch {
	case st == nil:
		return nil
	// Octets of a request that come behind its answer are met with StreamClosed.
	case (f.Code == http2.NoError || f.Code == http2.StreamClosed) && x.satisfied(st, from.kind):
		return nil
	}
	if id := st.id(to); id != 0 {
		to.reset(id, f.Code)
	}
	x.drop(st, &adapt.BodyError{Err: errReset})
	return nil
}

// healthy returns why the session cannot go on.
func (x *Session) healthy(c *conn) error {
	if x.err == nil && c.out.len() > maxQueue+maxFields+maxAnswers {
		return adapt.Refuse(c.kind, adapt.Flood)
	}
	return x.err
}
