package admin

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/clearspan/clearspan/decrypt"
)

// steps are those of a session that have a histogram.
var steps = [...]decrypt.Step{decrypt.StepDecision, decrypt.StepDial, decrypt.StepForge, decrypt.StepFirstOctet}

// stepBuckets are upper bounds in seconds, from the answer of a small policy to an origin
// that a timeout ends.
var stepBuckets = []float64{1e-6, 5e-6, 2.5e-5, 1e-4, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}

// stepTimes returns the histogram of the steps, whose series are there from the start.
func (m *Metrics) stepTimes() prometheus.Collector {
	h := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: namespace, Name: "session_step_seconds", Help: "Time that a step of a session took, if the session had it.",
		Buckets: stepBuckets,
	}, []string{"step"})
	for i, step := range steps {
		m.steps[i] = h.WithLabelValues(step.String())
	}
	return h
}

// stepsTook counts how long the steps of an ended session took.
func (m *Metrics) stepsTook(s *decrypt.Session) {
	example := m.exemplar(&m.exampleAt[0], s.ID)
	for i, step := range steps {
		if took := s.Took(step); took > 0 {
			observe(m.steps[i], took, example)
		}
	}
}

// exampleInterval is how often an observation has an exemplar: it costs more than the
// observation.
const exampleInterval = 100 * time.Millisecond

// exemplar returns the labels of an exemplar that names a session, nil for none. at is
// when the last one was.
func (m *Metrics) exemplar(at *atomic.Int64, session string) prometheus.Labels {
	now, last := time.Now().UnixNano(), at.Load()
	if session == "" || len(session) > maxWord || now-last < int64(exampleInterval) || !at.CompareAndSwap(last, now) {
		return nil
	}
	return prometheus.Labels{"session": session}
}

// observe counts d, with an exemplar if there is one.
func observe(o prometheus.Observer, d time.Duration, example prometheus.Labels) {
	if e, ok := o.(prometheus.ExemplarObserver); ok && example != nil {
		e.ObserveWithExemplar(d.Seconds(), example)
		return
	}
	o.Observe(d.Seconds())
}
