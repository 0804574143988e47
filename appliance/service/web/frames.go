package web

import (
	"errors"
	"io"
	"sync"

	"golang.org/x/net/http2"
)

// maxStreams bounds those that are open at a time.
const maxStreams = 1024

// frames is an HTTP/2 session: a connection with the client, one with the origin.
// Streams are numbered anew toward the origin, in the order in which services let
// their requests pass.
type frames struct {
	x *exchanges

	mu       sync.Mutex
	err      error // why the session failed
	legs     [2]*frameLeg
	byClient map[uint32]*stream
	byOrigin map[uint32]*stream
	newest   uint32  // stream of the client
	opened   uint32  // stream at the origin
	away     bool    // the origin takes no more streams
	held     [2]int  // messages that services have, by kind
	kept     int     // octets that streams keep in memory
	ahead    int64   // window that streams have beyond the first, for messages that services have
	lazy     bool    // the frame that is being taken is not the last at hand
	ended    [2]bool // no more comes from that leg
	wg       sync.WaitGroup
}

func newFrames(x *exchanges) *frames { return &frames{x: x} }

// begin makes the legs. It is called once, when the session is known to be
// HTTP/2, by whoever knows first.
func (f *frames) begin() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.legs[Request] != nil {
		return
	}
	f.byClient, f.byOrigin = make(map[uint32]*stream), make(map[uint32]*stream)
	f.legs[Request] = newFrameLeg(f, Request, &f.x.client, &f.x.toClient)
	f.legs[Response] = newFrameLeg(f, Response, &f.x.origin, &f.x.toOrigin)
	for _, l := range f.legs {
		f.wg.Go(func() { f.x.contain(func() error { return f.write(l) }) })
	}
}

// kill wakes everybody for the end.
func (f *frames) kill(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		f.err = err
	}
	for _, st := range f.byClient {
		f.drop(st, f.err)
	}
	for _, l := range f.legs {
		if l != nil {
			l.kick()
			l.cond.Broadcast()
		}
	}
}

var errEnded = errors.New("the session has ended")

// stop ends what still runs when both directions have ended.
func (f *frames) stop() {
	f.kill(errEnded)
	f.wg.Wait()
}

// fromClient reads the client's frames.
func (f *frames) fromClient() error {
	f.begin()
	p := make([]byte, len(preface))
	switch _, err := io.ReadFull(frameReader{&f.x.client}, p); {
	case err == io.EOF:
	case err == io.ErrUnexpectedEOF, err == nil && string(p) != preface:
		return &Refusal{Request, protocol}
	case err != nil:
		return err
	}
	return f.read(f.legs[Request], f.legs[Response])
}

// fromOrigin reads the origin's frames.
func (f *frames) fromOrigin() error {
	f.begin()
	return f.read(f.legs[Response], f.legs[Request])
}

// read takes frames of one leg until its end, and carries that on.
func (f *frames) read(from, to *frameLeg) error {
	err := f.take(from, to)
	if err == nil {
		f.mu.Lock()
		for _, st := range f.byClient {
			st.halves[from.kind].cut(&brokenBody{errTruncated})
		}
		f.ended[from.kind] = true
		// Who does not speak any more opens no window either.
		for f.err == nil && !f.ended[to.kind] && (f.held[from.kind] > 0 || f.pending(from.kind)) {
			to.cond.Wait()
		}
		to.open, to.ended = true, true
		to.kick()
		from.kick()
		f.mu.Unlock()
		return nil
	}
	f.kill(err)
	return err
}

// take takes frames of one leg until its end.
func (f *frames) take(from, to *frameLeg) error {
	for first := true; ; {
		if !first {
			if err := f.updates(from, to); err != nil {
				return err
			}
		}
		frame, err := from.reader.ReadFrame()
		var broken http2.StreamError
		var violation http2.ConnectionError
		switch {
		case err == nil:
		case err == io.EOF:
			return nil
		case errors.As(err, &broken):
			f.mu.Lock()
			f.abandon(f.find(from, broken.StreamID), from, broken.StreamID, broken.Code)
			to.kick()
			err := f.healthy(from)
			f.mu.Unlock()
			if err != nil {
				return err
			}
			continue
		case errors.As(err, &violation), errors.Is(err, http2.ErrFrameTooLarge):
			return &Refusal{from.kind, protocol}
		default:
			return err
		}
		if _, ok := frame.(*http2.SettingsFrame); first && !ok {
			return &Refusal{from.kind, protocol}
		}
		first = false
		f.mu.Lock()
		f.lazy = from.ahead()
		err = f.frame(from, to, frame)
		if f.lazy = f.lazy && from.ahead(); !f.lazy {
			from.kick()
			to.kick()
		}
		f.lazy = false
		if err == nil {
			err = f.healthy(from)
		}
		f.mu.Unlock()
		if err != nil {
			return err
		}
	}
}

// healthy returns why the session cannot go on.
func (f *frames) healthy(l *frameLeg) error {
	if f.err == nil && l.out.Len() > maxQueue+maxFields+maxAnswers {
		return &Refusal{l.kind, flood}
	}
	return f.err
}

// frame takes one frame. The caller holds the lock.
func (f *frames) frame(from, to *frameLeg, frame http2.Frame) error {
	h := frame.Header()
	switch frame := frame.(type) {
	case *http2.MetaHeadersFrame:
		f.room(to)
		return f.header(from, to, frame)
	case *http2.DataFrame:
		f.room(to)
		return f.data(from, to, frame)
	case *http2.WindowUpdateFrame:
		return f.windowUpdate(from, to, h.StreamID, int64(frame.Increment))
	case *http2.SettingsFrame:
		return f.settings(from, to, frame)
	case *http2.RSTStreamFrame:
		if !f.known(from, h.StreamID) {
			return &Refusal{from.kind, protocol}
		}
		f.room(to)
		if st := f.find(from, h.StreamID); st != nil {
			// Octets of a request that come behind its answer are met with StreamClosed.
			if (frame.ErrCode == http2.ErrCodeNo || frame.ErrCode == http2.ErrCodeStreamClosed) && f.satisfied(st, from.kind) {
				return nil
			}
			if id := st.id(to); id != 0 {
				to.writer.WriteRSTStream(id, frame.ErrCode)
				to.kick()
			}
			f.drop(st, &brokenBody{errReset})
		}
	case *http2.PingFrame:
		f.room(to)
		to.writer.WritePing(frame.IsAck(), frame.Data)
		to.kick()
	case *http2.GoAwayFrame:
		f.room(to)
		f.goAway(from, to, frame)
	case *http2.PushPromiseFrame:
		return &Refusal{from.kind, protocol} // it was switched off
	}
	return nil // priorities of RFC 7540, extensions
}

// settings obeys SETTINGS of a leg, and tells the other what concerns it.
func (f *frames) settings(from, to *frameLeg, frame *http2.SettingsFrame) error {
	if frame.IsAck() {
		return nil
	}
	var told []http2.Setting
	refused := false
	limited := to.kind == Response || to.open
	frame.ForeachSetting(func(s http2.Setting) error {
		refused = refused || s.Valid() != nil
		switch s.ID {
		case http2.SettingHeaderTableSize:
			from.coder.SetMaxDynamicTableSize(min(s.Val, 4096))
		case http2.SettingInitialWindowSize:
			refused = !f.initialWindow(from, to, int64(s.Val)) || refused
		case http2.SettingMaxHeaderListSize:
			told = append(told, http2.Setting{ID: s.ID, Val: min(s.Val, maxFields)})
		case http2.SettingMaxConcurrentStreams:
			if from.kind == Response {
				told, limited = append(told, http2.Setting{ID: s.ID, Val: min(s.Val, maxStreams)}), true
			}
		case http2.SettingEnableConnectProtocol, http2.SettingNoRFC7540Priorities:
			told = append(told, s)
		}
		return nil
	})
	if refused {
		return &Refusal{from.kind, protocol}
	}
	if !limited {
		told = append(told, http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: maxStreams})
	}
	switch {
	case !to.open:
		// The first frame to a leg; answers that are queued come behind.
		queued := to.out.p
		to.out.p = nil
		if to.kind == Response {
			to.out.Write([]byte(preface))
			told = append(told, http2.Setting{ID: http2.SettingEnablePush, Val: 0})
		}
		to.writer.WriteSettings(told...)
		to.out.Write(queued)
		to.open = true
	case len(told) > 0:
		f.room(to)
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
func (f *frames) goAway(from, to *frameLeg, frame *http2.GoAwayFrame) {
	last := frame.LastStreamID
	if from.kind == Response {
		var highest uint32
		for _, st := range f.byClient {
			if st.origin != 0 && st.origin <= last {
				highest = max(highest, st.client)
			}
		}
		if last == maxWindow { // it says more later
			highest = last
		} else {
			f.away = true
			for _, st := range f.byClient {
				if st.origin == 0 || st.origin > last {
					if st.client < highest { // above, the client knows
						to.writer.WriteRSTStream(st.client, http2.ErrCodeRefusedStream)
					}
					f.drop(st, &brokenBody{errReset})
				}
			}
		}
		last = highest
	}
	to.writer.WriteGoAway(last, frame.ErrCode, frame.DebugData())
	to.kick()
}
