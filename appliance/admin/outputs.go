package admin

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// OutputState is how an output of the audit log does.
type OutputState struct {
	Name          string
	Written, Lost uint64        // entries
	Lag           time.Duration // age of the oldest entry that waits
}

// Outputs adds the outputs of the audit log. read is called when metrics are, concurrently,
// and returns all outputs that are configured.
func (m *Metrics) Outputs(read func() []OutputState) error {
	return m.registry.Register(&outputs{read: read})
}

// outputs collects the metrics of outputs.
type outputs struct{ read func() []OutputState }

func outputDesc(name, help string) *prometheus.Desc {
	return prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, []string{"output"}, nil)
}

var (
	outputWrittenDesc = outputDesc("audit_outputs_written_entries_total", "Audit entries that an output has delivered.")
	outputLostDesc    = outputDesc("audit_outputs_lost_entries_total", "Audit entries that an output will never deliver: their file was removed, or they are too long for a datagram.")
	outputLagDesc     = outputDesc("audit_outputs_lag_seconds", "The age of the oldest audit entry that waits for an output. 0: none waits.")
)

// Describe implements [prometheus.Collector].
func (o *outputs) Describe(to chan<- *prometheus.Desc) {
	to <- outputWrittenDesc
	to <- outputLostDesc
	to <- outputLagDesc
}

// Collect implements [prometheus.Collector].
func (o *outputs) Collect(to chan<- prometheus.Metric) {
	for _, s := range o.read() {
		to <- prometheus.MustNewConstMetric(outputWrittenDesc, prometheus.CounterValue, float64(s.Written), s.Name)
		to <- prometheus.MustNewConstMetric(outputLostDesc, prometheus.CounterValue, float64(s.Lost), s.Name)
		to <- prometheus.MustNewConstMetric(outputLagDesc, prometheus.GaugeValue, s.Lag.Seconds(), s.Name)
	}
}
