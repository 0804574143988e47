package h2

import (
	"golang.org/x/net/http2"

	"github.com/clearspan/clearspan/appliance/service/web/adapt"
)

// settings obeys SETTINGS of a leg, and tells the other what concerns it.
func (x *Session) settings(from, to *conn, frame *http2.SettingsFrame) error {
	if frame.IsAck() {
		return nil
	}
	var told []http2.Setting
	refused := false
	limited := to.kind == adapt.Response || to.open
	frame.ForeachSetting(func(s http2.Setting) error {
		refused = refused || s.Valid() != nil
		switch s.ID {
		case http2.SettingHeaderTableSize:
			from.coder.SetMaxDynamicTableSize(min(s.Val, 4096))
		case http2.SettingInitialWindowSize:
			refused = !x.initialWindow(from, to, int64(s.Val)) || refused
		case http2.SettingMaxHeaderListSize:
			told = append(told, http2.Setting{ID: s.ID, Val: min(s.Val, maxFields)})
		case http2.SettingMaxConcurrentStreams:
			if from.kind == adapt.Response {
				told, limited = append(told, http2.Setting{ID: s.ID, Val: min(s.Val, maxStreams)}), true
			}
		case http2.SettingEnableConnectProtocol, http2.SettingNoRFC7540Priorities:
			told = append(told, s)
		}
		return nil
	})
	if refused {
		return adapt.Refuse(from.kind, adapt.Protocol)
	}
	if !limited {
		told = append(told, http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: maxStreams})
	}
	switch {
	case !to.open:
		// The first frame to a leg; answers that are queued come behind.
		queued := to.out.p
		to.out.p = nil
		if to.kind == adapt.Response {
			to.out.Write([]byte(Preface))
			told = append(told, http2.Setting{ID: http2.SettingEnablePush, Val: 0})
		}
		to.writer.WriteSettings(told...)
		to.out.Write(queued)
		to.open = true
	case len(told) > 0:
		x.room(to)
		to.writer.WriteSettings(told...)
	}
	from.writer.WriteSettingsAck()
	to.kick()
	from.kick()
	return nil
}

// goAway tells a leg that the other takes no more streams (RFC 9113, Section
// 6.8). Streams of the client that the origin disowns and that the client cannot
// tell by their number are refused one by one.
func (x *Session) goAway(from, to *conn, frame *http2.GoAwayFrame) {
	last := frame.LastStreamID
	if from.kind == adapt.Response {
		var highest uint32
		for _, st := range x.byClient {
			if st.origin != 0 && st.origin <= last {
				highest = max(highest, st.client)
			}
		}
		if last == maxWindow { // it says more later
			highest = last
		} else {
			x.away = true
			for _, st := range x.byClient {
				if st.origin == 0 || st.origin > last {
					if st.client < highest { // above, the client knows
						to.writer.WriteRSTStream(st.client, http2.ErrCodeRefusedStream)
					}
					x.drop(st, &adapt.BodyError{Err: errReset})
				}
			}
		}
		last = highest
	}
	to.writer.WriteGoAway(last, frame.ErrCode, frame.DebugData())
	to.kick()
}
