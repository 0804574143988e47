package admin

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/clearspan/clearspan/appliance/health"
)

// State is what metrics of state show, at one moment.
type State struct {
	Health      health.Health
	Mirrors     []MirrorState
	Authorities map[string]time.Time // when they expire, by name
	Disks       map[string]uint64    // octets that may still be written, by name
	Reloaded    time.Time            // when the configuration was last read, or was to be
	Unchanged   bool                 // because it could not be used
	Workers     int                  // processes that serve sessions, those that drain included
}

// MirrorState is how a mirror does.
type MirrorState struct {
	Name    string
	Queued  uint64    // octets that wait
	Last    time.Time // when it got its last frames; zero: none yet
	Readers int       // of a live feed; -1 for other mirrors
}

// State adds the metrics of state. read is called when metrics are, concurrently.
func (m *Metrics) State(read func() State) error {
	return m.registry.Register(&state{read: read})
}

// state collects the metrics of state.
type state struct{ read func() State }

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, labels, nil)
}

var (
	readyDesc      = describe("ready", "1 if no part that must be ready is down, as `/readyz` has it, else 0.")
	partDesc       = describe("part_up", "1 if the part does its work or some of it, 0 if it is down.", "part", "name")
	degradedDesc   = describe("part_degraded", "1 if the part does only some of its work, or soon will not do it, else 0.", "part", "name")
	mirrorDesc     = describe("mirror_up", "1 if the mirror takes frames, 0 if it is down.", "sink")
	queueDesc      = describe("mirror_queue_octets", "Octets that wait for the interface, the disk or the slowest reader of a mirror.", "sink")
	lastFrameDesc  = describe("mirror_last_frame_timestamp_seconds", "When frames last reached the mirror, since 1970. 0: not yet.", "sink")
	readersDesc    = describe("feed_readers", "Programs that read a live feed.", "sink")
	serviceDesc    = describe("service_up", "1 if the service does its work or some of it, 0 if it is down.", "service")
	wireDesc       = describe("wire_taking", "1 if the wire takes connections, 0 if they pass or are blocked.", "intake")
	workersDesc    = describe("workers", "Processes that serve sessions, those that drain included.")
	reloadDesc     = describe("config_last_reload_success", "1 if the last reload put the configuration in force, 0 if the old one stayed.")
	reloadTimeDesc = describe("config_last_reload_timestamp_seconds", "When the last reload was, or the start, since 1970.")
	expiryDesc     = describe("authority_expiry_timestamp_seconds", "When the certificate of the authority ends, since 1970.", "authority")
	diskDesc       = describe("disk_free_octets", "Octets that may still be written to the disk of a directory.", "disk")
)

// Describe implements [prometheus.Collector].
func (s *state) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		readyDesc, partDesc, degradedDesc, mirrorDesc, queueDesc, lastFrameDesc, readersDesc, serviceDesc, wireDesc,
		workersDesc, reloadDesc, reloadTimeDesc, expiryDesc, diskDesc,
	} {
		to <- d
	}
}

// Collect implements [prometheus.Collector].
func (s *state) Collect(to chan<- prometheus.Metric) {
	now := s.read()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	gauge(readyDesc, truth(now.Health.Ready))
	gauge(workersDesc, float64(now.Workers))
	gauge(reloadDesc, truth(!now.Unchanged))
	gauge(reloadTimeDesc, seconds(now.Reloaded))
	kinds := map[health.Kind]*prometheus.Desc{health.Mirror: mirrorDesc, health.Service: serviceDesc, health.Wire: wireDesc}
	for _, p := range now.Health.Parts {
		gauge(partDesc, truth(p.State != health.Down), string(p.Kind), p.Name)
		gauge(degradedDesc, truth(p.State == health.Degraded), string(p.Kind), p.Name)
		if d := kinds[p.Kind]; d != nil {
			gauge(d, truth(p.State != health.Down), p.Name)
		}
	}
	for _, m := range now.Mirrors {
		gauge(queueDesc, float64(m.Queued), m.Name)
		gauge(lastFrameDesc, seconds(m.Last), m.Name)
		if m.Readers >= 0 {
			gauge(readersDesc, float64(m.Readers), m.Name)
		}
	}
	for name, end := range now.Authorities {
		gauge(expiryDesc, seconds(end), name)
	}
	for name, free := range now.Disks {
		gauge(diskDesc, float64(free), name)
	}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// seconds returns t as Prometheus has times, 0 for the zero time.
func seconds(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}
