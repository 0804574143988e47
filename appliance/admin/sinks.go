package admin

import (
	"maps"

	"github.com/prometheus/client_golang/prometheus"
)

// sinkSeries are the series of one sink that count while sessions are open.
type sinkSeries struct {
	frames, octets prometheus.Counter
	lost           map[string]prometheus.Counter // by reason; never changed

	streams, rendered, replaced prometheus.Counter            // nil if the sink shows HTTP/2 as it is
	raw                         map[string]prometheus.Counter // by reason; never changed
}

// Sink adds the series of a sink by its name. losses are the words that MirrorLost may
// be given, raws those for Transcoded; nil if the sink shows HTTP/2 as it is.
func (m *Metrics) Sink(name string, losses, raws []string) {
	s := m.newSink(name, losses, raws)
	for { // sinks are few, and opened at the start
		old := m.live.Load()
		all := make(map[string]*sinkSeries)
		if old != nil {
			all = maps.Clone(*old)
		}
		all[name] = s
		if m.live.CompareAndSwap(old, &all) {
			return
		}
	}
}

func (m *Metrics) newSink(name string, losses, raws []string) *sinkSeries {
	name = m.sinks.bound(name)
	s := &sinkSeries{
		frames: m.frames.WithLabelValues(name), octets: m.mirrored.WithLabelValues(name),
		lost: make(map[string]prometheus.Counter), raw: make(map[string]prometheus.Counter),
	}
	for _, reason := range losses {
		s.lost[reason] = m.lost.WithLabelValues(name, m.losses.bound(reason))
	}
	if raws == nil {
		return s
	}
	s.streams, s.rendered, s.replaced = m.streams.WithLabelValues(name), m.rendered.WithLabelValues(name), m.replaced.WithLabelValues(name)
	for _, reason := range raws {
		s.raw[reason] = m.raw.WithLabelValues(name, m.raws.bound(reason))
	}
	return s
}

// sink returns the series of a sink.
func (m *Metrics) sink(name string) *sinkSeries {
	if all := m.live.Load(); all != nil {
		if s := (*all)[name]; s != nil {
			return s
		}
	}
	return m.newSink(name, nil, []string{}) // it was not announced
}

// Mirrored counts frames that sink took, and the octets of a session in them, while the
// session is open.
func (m *Metrics) Mirrored(sink string, frames, octets uint64) {
	s := m.sink(sink)
	s.frames.Add(float64(frames))
	s.octets.Add(float64(octets))
}

// MirrorLost counts octets of a session that did not reach sink, for a reason that is a
// fixed word, while the session is open.
func (m *Metrics) MirrorLost(sink, reason string, octets uint64) {
	if c := m.sink(sink).lost[reason]; c != nil {
		c.Add(float64(octets))
		return
	}
	m.lost.WithLabelValues(m.sinks.bound(sink), m.losses.bound(reason)).Add(float64(octets))
}

// Transcoded counts what sink got of an HTTP/2 session that is shown as HTTP/1.1:
// streams, octets of payload in place of the session's, fields that were replaced, and
// octets that were shown as HTTP/2 for a reason that is a fixed word.
func (m *Metrics) Transcoded(sink string, streams, octets, replaced, raw uint64, reason string) {
	s := m.sink(sink)
	if s.streams == nil { // nobody has said that it transcodes
		s = m.newSink(sink, nil, []string{})
	}
	s.streams.Add(float64(streams))
	s.rendered.Add(float64(octets))
	s.replaced.Add(float64(replaced))
	switch c := s.raw[reason]; {
	case reason == "":
	case c != nil:
		c.Add(float64(raw))
	default:
		m.raw.WithLabelValues(m.sinks.bound(sink), m.raws.bound(reason)).Add(float64(raw))
	}
}
