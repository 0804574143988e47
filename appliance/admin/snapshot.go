package admin

import (
	"fmt"
	"io"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
)

// Snapshot is the values of all metrics at one moment. It does not change.
type Snapshot struct {
	families []*dto.MetricFamily // by name, in order
}

// Snapshot reads all metrics, as a scrape does.
func (m *Metrics) Snapshot() *Snapshot {
	families, _ := m.registry.Gather() // what could be read is there also with an error
	return &Snapshot{families}
}

// Write writes the metrics in the text format of Prometheus.
func (s *Snapshot) Write(w io.Writer) error {
	for _, f := range s.families {
		if _, err := expfmt.MetricFamilyToText(w, f); err != nil {
			return fmt.Errorf("write metrics: %w", err)
		}
	}
	return nil
}

// Series is a value with its labels. That of a histogram is the number of its
// observations, whose sum is Sum.
type Series struct {
	Labels map[string]string
	Value  float64
	Sum    float64 // of a histogram
}

// Series returns the series of a metric, whose name is without the prefix "clearspan_",
// that have these labels.
func (s *Snapshot) Series(name string, labels map[string]string) (list []Series) {
	name = prometheus.BuildFQName(namespace, "", name)
	i, found := slices.BinarySearchFunc(s.families, name, func(f *dto.MetricFamily, name string) int {
		switch {
		case f.GetName() < name:
			return -1
		case f.GetName() > name:
			return 1
		}
		return 0
	})
	if !found {
		return nil
	}
	for _, m := range s.families[i].GetMetric() {
		one := Series{Labels: make(map[string]string, len(m.GetLabel()))}
		for _, l := range m.GetLabel() {
			one.Labels[l.GetName()] = l.GetValue()
		}
		if !has(one.Labels, labels) {
			continue
		}
		switch {
		case m.Counter != nil:
			one.Value = m.GetCounter().GetValue()
		case m.Gauge != nil:
			one.Value = m.GetGauge().GetValue()
		case m.Histogram != nil:
			one.Value, one.Sum = float64(m.GetHistogram().GetSampleCount()), m.GetHistogram().GetSampleSum()
		}
		list = append(list, one)
	}
	return list
}

// has reports whether all has the labels of some.
func has(all, some map[string]string) bool {
	for name, value := range some {
		if all[name] != value {
			return false
		}
	}
	return true
}

// Total returns the sum of the series of a metric that have these labels.
func (s *Snapshot) Total(name string, labels map[string]string) (sum float64) {
	for _, one := range s.Series(name, labels) {
		sum += one.Value
	}
	return sum
}

// By returns the sums of the series of a metric that have these labels, by the values of
// another label. Sums of zero are left out.
func (s *Snapshot) By(name, label string, labels map[string]string) map[string]uint64 {
	by := make(map[string]uint64)
	for _, one := range s.Series(name, labels) {
		if one.Value > 0 {
			by[one.Labels[label]] += uint64(one.Value)
		}
	}
	return by
}
