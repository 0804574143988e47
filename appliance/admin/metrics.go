package admin

import (
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/clearspan/clearspan/decrypt"
	"github.com/clearspan/clearspan/decrypt/policy"
)

// namespace starts the name of every metric of ours.
const namespace = "clearspan"

// Metrics counts what the appliance does. Label values come from the
// configuration and from fixed words, never from traffic, and each label is
// bounded: see [words]. The methods are safe for concurrent use and cost some
// hundred nanoseconds: they are called per session. Those that are called for each piece
// that is relayed cost some ten: see [Metrics.Relayed] and [Metrics.Mirrored].
type Metrics struct {
	registry *prometheus.Registry

	open       *prometheus.GaugeVec     // intake
	sessions   *prometheus.CounterVec   // action, outcome
	startTLS   *prometheus.CounterVec   // protocol, result
	verdicts   *prometheus.CounterVec   // reason
	revocation *prometheus.CounterVec   // status
	events     *prometheus.CounterVec   // event
	monitored  *prometheus.CounterVec   // would
	ech        *prometheus.CounterVec   // state
	handshakes *prometheus.HistogramVec // leg, result
	services   *prometheus.HistogramVec // service, result
	finished   *prometheus.CounterVec   // leg, kind
	frames     *prometheus.CounterVec   // sink
	mirrored   *prometheus.CounterVec   // sink
	lost       *prometheus.CounterVec   // sink, reason
	streams    *prometheus.CounterVec   // sink
	rendered   *prometheus.CounterVec   // sink
	replaced   *prometheus.CounterVec   // sink
	raw        *prometheus.CounterVec   // sink, reason
	refusals   *prometheus.CounterVec   // intake, reason
	recalled   *prometheus.CounterVec   // lesson
	bypassed   *prometheus.CounterVec   // cause
	quic       *prometheus.CounterVec   // action, outcome
	requests   *prometheus.CounterVec   // action

	intakes, sinks, losses, reasons, statuses, refused, raws, protocols words

	relayed relayed
	live    atomic.Pointer[map[string]*sinkSeries] // by name; never changed, only replaced

	steps     [len(steps)]prometheus.Observer
	exampleAt [2]atomic.Int64 // when steps and handshakes had an exemplar last, nanoseconds since 1970

	forging atomic.Pointer[func() (forged, hits uint64)]
}

// handshakeBuckets are upper bounds in seconds, from a session that is resumed
// on the same machine to one that a timeout ends.
var handshakeBuckets = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}

var (
	legs  = [2]string{"client", "origin"}
	kinds = [2]string{"full", "resumed"} // of handshakes

	results = [2]string{"ok", "failed"} // of handshakes
)

// NewMetrics returns metrics in a registry of their own, beside those of the Go
// runtime and the process. version is that of the program.
func NewMetrics(version string) *Metrics {
	m := &Metrics{
		registry:   prometheus.NewRegistry(),
		open:       gauge("sessions_open", "Open sessions.", "intake"),
		sessions:   counter("sessions_total", "Sessions that ended, by action and outcome.", "action", "outcome"),
		startTLS:   counter("starttls_dialogues_total", "Plain dialogues that offered or requested TLS, by result.", "protocol", "result"),
		verdicts:   counter("origin_verdicts_total", "Verifications of origins: ok, or the reason of the failure.", "reason"),
		revocation: counter("origin_revocation_checks_total", "Verifications of origins, by revocation status.", "status"),
		events:     counter("policy_events_total", "Sessions with an event, by event.", "event"),
		monitored:  counter("policy_monitored_total", "Sessions in mode monitor, by the action that was not taken.", "would"),
		ech:        counter("ech_hellos_total", "Sessions with Encrypted Client Hello, by state.", "state"),
		frames:     counter("mirror_frames_total", "Frames delivered to a mirror.", "sink"),
		mirrored:   counter("mirror_octets_total", "Octets of sessions delivered to a mirror.", "sink"),
		lost:       counter("mirror_lost_octets_total", "Octets of sessions that a mirror did not deliver, by reason.", "sink", "reason"),
		streams:    counter("mirror_http2_streams_total", "HTTP/2 streams that a mirror showed as HTTP/1.1.", "sink"),
		rendered:   counter("mirror_http2_rendered_octets_total", "Octets of payload that a mirror delivered in place of HTTP/2.", "sink"),
		replaced:   counter("mirror_http2_replaced_fields_total", "HTTP/2 header fields that HTTP/1.1 cannot hold as they were.", "sink"),
		raw:        counter("mirror_http2_raw_octets_total", "Octets of HTTP/2 that a mirror could not show as HTTP/1.1, by reason.", "sink", "reason"),
		finished:   counter("handshakes_total", "Finished TLS handshakes of ended sessions, full or resumed.", "leg", "kind"),
		refusals:   counter("intake_refusals_total", "Connections that an intake refused, by reason.", "intake", "reason"),
		quic:       counter("quic_flows_total", "QUIC flows that clearspan judged, by action and outcome.", "action", "outcome"),
		bypassed:   counter("sessions_bypassed_total", "Sessions that passed unopened, by who caused that.", "by"),
		requests:   counter("policy_refused_requests_total", "Requests within sessions that the policy refused, by the action of the rule.", "action"),
		recalled:   counter("sessions_learned_total", "Sessions that clearspan tunneled because of a lesson, by lesson.", "lesson"),
		handshakes: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: namespace, Name: "handshake_duration_seconds", Help: "Duration of TLS handshakes.",
			Buckets: handshakeBuckets,
		}, []string{"leg", "result"}),
	}
	m.services = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: namespace, Name: "service_decision_seconds", Help: "Time that ICAP services took to decide on messages, by result.",
		Buckets: serviceBuckets,
	}, []string{"service", "result"})
	m.registry.MustRegister(
		m.stepTimes(), m.services, m.open, m.sessions, m.startTLS, &m.relayed, m.verdicts, m.revocation, m.events, m.ech, m.monitored, m.handshakes, m.finished, m.frames, m.mirrored, m.lost, m.refusals,
		m.streams, m.rendered, m.replaced, m.raw, m.recalled, m.bypassed, m.quic, m.requests,
		buildInfo(version),
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	m.registry.MustRegister(
		counterFunc("forged_leaves_total", "Forged certificates.", func() uint64 { forged, _ := m.forged(); return forged }),
		counterFunc("leaf_cache_hits_total", "Forged certificates found in the cache.", func() uint64 { _, hits := m.forged(); return hits }),
	)
	m.foresee()
	return m
}

func counter(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
}

func gauge(name, help string, labels ...string) *prometheus.GaugeVec {
	return prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help}, labels)
}

// buildInfo is a gauge of 1 whose labels say which program runs.
func buildInfo(version string) prometheus.Collector {
	revision := ""
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				revision = s.Value
			}
		}
	}
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: namespace, Name: "build_info", Help: "1; the labels say which program runs.",
		ConstLabels: prometheus.Labels{"version": version, "revision": revision, "goversion": runtime.Version()},
	}, func() float64 { return 1 })
}

// SessionOpened counts a session that intake handed on.
func (m *Metrics) SessionOpened(intake string) {
	m.open.WithLabelValues(m.intakes.bound(intake)).Inc()
}

// SessionEnded counts a session that SessionOpened has counted, when it has
// ended.
func (m *Metrics) SessionEnded(s *decrypt.Session) {
	m.open.WithLabelValues(m.intakes.bound(s.Intake)).Dec()
	action := noAction
	if s.Decision.Rule != "" {
		action = s.Decision.Action.String()
	}
	m.sessions.WithLabelValues(action, s.Outcome.String()).Inc()
	if s.Decision.Monitored {
		m.monitored.WithLabelValues(s.Decision.Would.String()).Inc()
	}
	for a, n := range s.RefusedBy() {
		if n > 0 {
			m.requests.WithLabelValues(policy.Action(a).String()).Add(float64(n))
		}
	}
	for _, event := range s.Events().Names() {
		m.events.WithLabelValues(event).Inc()
	}
	m.stepsTook(s)
	if by := s.BypassBy; by != "" {
		m.bypassed.WithLabelValues(string(by)).Inc()
	}
	if lesson := s.Decision.Learned; lesson != "" {
		m.recalled.WithLabelValues(lesson).Inc()
	}
	if result := s.StartTLS.String(); result != "" {
		m.startTLS.WithLabelValues(m.protocols.bound(s.Protocol), result).Inc()
	}
	if v := s.OriginTLS.Verdict; v != "" {
		m.verdicts.WithLabelValues(m.reasons.bound(v)).Inc()
	}
	if state := s.ClientTLS.ECH; state != decrypt.ECHNone {
		m.ech.WithLabelValues(state.String()).Inc()
	}
	for i, l := range []*decrypt.LegTLS{&s.ClientTLS, &s.OriginTLS} {
		switch {
		case l.Version == 0:
		case l.Resumed:
			m.finished.WithLabelValues(legs[i], "resumed").Inc()
		default:
			m.finished.WithLabelValues(legs[i], "full").Inc()
		}
	}
	if status := s.OriginTLS.Revocation; status != "" {
		m.revocation.WithLabelValues(m.statuses.bound(status)).Inc()
	}
}

// QUIC counts a QUIC flow that was judged. It is no session: intakes hand none over.
func (m *Metrics) QUIC(s *decrypt.Session) {
	m.quic.WithLabelValues(s.Decision.Action.String(), s.Outcome.String()).Inc()
	if by := s.BypassBy; by != "" {
		m.bypassed.WithLabelValues(string(by)).Inc()
	}
}

// Handshake counts a TLS handshake of a session, by its identifier, on the leg "client" or "origin" that took d
// and was finished, or not.
func (m *Metrics) Handshake(session, leg string, d time.Duration, ok bool) {
	if leg != "client" && leg != "origin" {
		leg = other
	}
	result := results[0]
	if !ok {
		result = results[1]
	}
	observe(m.handshakes.WithLabelValues(leg, result), d, m.exemplar(&m.exampleAt[1], session))
}

// Refused counts a connection that intake did not hand on, for a reason that is
// a fixed word.
func (m *Metrics) Refused(intake, reason string) {
	m.refusals.WithLabelValues(m.intakes.bound(intake), m.refused.bound(reason)).Inc()
}

// Forged sets where the counts of forged leaves and of cache hits are read when
// metrics are. read is called concurrently, must not block, and must never count
// backwards.
func (m *Metrics) Forged(read func() (forged, hits uint64)) { m.forging.Store(&read) }

func (m *Metrics) forged() (forged, hits uint64) {
	if read := m.forging.Load(); read != nil {
		return (*read)()
	}
	return 0, 0
}

func counterFunc(name, help string, read func() uint64) prometheus.Collector {
	return prometheus.NewCounterFunc(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help},
		func() float64 { return float64(read()) })
}

var serviceBuckets = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}

// Served counts what a service of the configuration did with a message, or a
// session: one of the fixed words of packages service, web and inline.
func (m *Metrics) Served(service, result string, took time.Duration) {
	m.services.WithLabelValues(service, result).Observe(took.Seconds())
}
