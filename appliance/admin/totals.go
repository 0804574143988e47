package admin

import (
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// Totals are counts since the start that conditions are judged by.
type Totals struct {
	Lost       map[string]uint64    // octets that mirrors did not get against the configuration, by mirror
	Handshakes map[string][2]uint64 // finished and failed, by leg
}

// byDesign are the reasons for which octets do not reach a mirror that are no loss.
var byDesign = map[string]bool{"concealed": true, "unselected": true, "no-reader": true}

// Totals returns the counts now. It costs some microseconds a series.
func (m *Metrics) Totals() Totals {
	t := Totals{Lost: make(map[string]uint64), Handshakes: make(map[string][2]uint64)}
	each(m.lost, func(labels map[string]string, s *dto.Metric) {
		if !byDesign[labels["reason"]] {
			t.Lost[labels["sink"]] += uint64(s.GetCounter().GetValue())
		}
	})
	each(m.handshakes, func(labels map[string]string, s *dto.Metric) {
		n := t.Handshakes[labels["leg"]]
		if labels["result"] == results[0] {
			n[0] += s.GetHistogram().GetSampleCount()
		} else {
			n[1] += s.GetHistogram().GetSampleCount()
		}
		t.Handshakes[labels["leg"]] = n
	})
	return t
}

// each calls f for each series of c.
func each(c prometheus.Collector, f func(labels map[string]string, s *dto.Metric)) {
	series := make(chan prometheus.Metric)
	go func() { defer close(series); c.Collect(series) }()
	for one := range series {
		var s dto.Metric
		if one.Write(&s) != nil {
			continue
		}
		labels := make(map[string]string, len(s.GetLabel()))
		for _, l := range s.GetLabel() {
			labels[l.GetName()] = l.GetValue()
		}
		f(labels, &s)
	}
}
