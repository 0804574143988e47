package h2

import (
	"github.com/clearspan/clearspan/appliance/service/web/adapt"
	"github.com/clearspan/clearspan/decrypt/proto/http2"
)

// settings obeys SETTINGS of a connection, and tells the other what concerns it.
func (x *Session) settings(from, to *conn, f *http2.Frame) error {
	if f.Has(http2.ACK) {
		return nil
	}
	var told []http2.Setting
	limited := to.kind == adapt.Response || to.open
	for s := range f.Settings() {
		switch s.ID {
		case http2.HeaderTableSize:
			from.coder.SetMaxDynamicTableSize(min(s.Value, http2.DefaultTable))
		case http2.InitialWindowSize:
			if !x.initialWindow(from, to, int64(s.Value)) {
				return adapt.Refuse(from.kind, adapt.Protocol)
			}
		case http2.MaxHeaderListSize:
			told = append(told, http2.Setting{ID: s.ID, Value: min(s.Value, maxFields)})
		case http2.MaxConcurrentStreams:
			if from.kind == adapt.Response {
				told, limited = append(told, http2.Setting{ID: s.ID, Value: min(s.Value, maxStreams)}), true
			}
		case http2.NoRFC7540Priorities:
			told = append(told, s)
		case http2.EnableConnectProtocol:
			if x.Config.Upgrade.Passes() {
				told = append(told, s)
			}
		}
	}
	if !limited {
		told = append(told, http2.Setting{ID: http2.MaxConcurrentStreams, Value: maxStreams})
	}
	switch {
	case !to.open:
		to.begin(told)
	case len(told) > 0:
		x.room(to)
		to.out.p = http2.AppendSettings(to.out.buffer(), told...)
	}
	from.out.p = http2.AppendSettingsACK(from.out.buffer())
	to.kick()
	from.kick()
	return nil
}

// begin queues the first frame to a connection. Answers that are queued come behind.
func (c *conn) begin(settings []http2.Setting) {
	queued := c.out.take()
	if c.kind == adapt.Response {
		c.out.p = append(c.out.buffer(), http2.Preface...)
		settings = append(settings, http2.Setting{ID: http2.EnablePush, Value: 0})
	}
	c.out.p = append(http2.AppendSettings(c.out.buffer(), settings...), queued...)
	c.open = true
	releaseQueue(queued)
}

// goAway tells a connection that the other takes no more streams (RFC 9113, Section
// 6.8).
func (x *Session) goAway(from, to *conn, f *http2.Frame) {
	last := f.LastID
	if from.kind == adapt.Response {
		last = x.disown(last)
	}
	to.out.p = http2.AppendGoAway(to.out.buffer(), last, f.Code, f.Body)
	to.kick()
}

// disown ends the client's streams that the origin does not take, above its stream
// last, and returns the last one that it takes, by the client's number. Streams that
// the client cannot tell by that number are refused one by one.
func (x *Session) disown(last uint32) uint32 {
	if last == http2.MaxStream { // it says more later
		return last
	}
	var highest uint32
	for _, st := range x.byClient {
		if st.origin != 0 && st.origin <= last {
			highest = max(highest, st.client)
		}
	}
	x.away = true
	for _, st := range x.byClient {
		if st.origin != 0 && st.origin <= last {
			continue
		}
		if st.client < highest { // above, the client knows
			x.conns[adapt.Request].reset(st.client, http2.RefusedStream)
		}
		x.drop(st, &adapt.BodyError{Err: errReset})
	}
	return highest
}
