package admin

import "github.com/prometheus/client_golang/prometheus"

// WirePaths adds the counters of a bump in the wire: frames by the path they took
// through it. read is called when metrics are, concurrently; it returns the
// counts by fixed words, or an error while there are none.
func (m *Metrics) WirePaths(intake string, read func() (map[string]uint64, error)) error {
	return m.registry.Register(&paths{
		desc: prometheus.NewDesc(prometheus.BuildFQName(namespace, "", "wire_frames_total"),
			"Frames and connections of a wire, by path.", []string{"path"}, prometheus.Labels{"intake": intake}),
		read: read,
	})
}

// Strays adds those of an intake for routed traffic: packets from clients that belong
// to no connection of the intake, by fixed words, as for WirePaths.
func (m *Metrics) Strays(intake string, read func() (map[string]uint64, error)) error {
	return m.registry.Register(&paths{
		desc: prometheus.NewDesc(prometheus.BuildFQName(namespace, "", "strays_total"),
			"TCP packets from clients to selected ports that belong to no connection of the intake, by fate.", []string{"fate"}, prometheus.Labels{"intake": intake}),
		read: read,
	})
}

// QUICDatagrams adds those about QUIC, as for Strays.
func (m *Metrics) QUICDatagrams(intake string, read func() (map[string]uint64, error)) error {
	return m.registry.Register(&paths{
		desc: prometheus.NewDesc(prometheus.BuildFQName(namespace, "", "quic_datagrams_total"),
			"UDP datagrams that a tproxy or redirect intake took for QUIC, by fate. Of those that pass, only long headers count.", []string{"fate"}, prometheus.Labels{"intake": intake}),
		read: read,
	})
}

// DeviceCounters adds those of an inline device: sessions, probes and frames by
// fixed words, as for WirePaths.
func (m *Metrics) DeviceCounters(service string, read func() (map[string]uint64, error)) error {
	return m.registry.Register(&paths{
		desc: prometheus.NewDesc(prometheus.BuildFQName(namespace, "", "inline_events_total"),
			"Sessions, probes and frames of an inline device, by event.", []string{"event"}, prometheus.Labels{"service": service}),
		read: read,
	})
}

// paths are counters by fixed words, read from elsewhere.
type paths struct {
	desc *prometheus.Desc
	read func() (map[string]uint64, error)
}

// Describe implements [prometheus.Collector].
func (w *paths) Describe(to chan<- *prometheus.Desc) { to <- w.desc }

// Collect implements [prometheus.Collector].
func (w *paths) Collect(to chan<- prometheus.Metric) {
	counts, err := w.read()
	if err != nil {
		return // it is closed
	}
	for path, n := range counts {
		to <- prometheus.MustNewConstMetric(w.desc, prometheus.CounterValue, float64(n), path)
	}
}
