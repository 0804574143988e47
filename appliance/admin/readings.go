package admin

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics that are read from elsewhere when metrics are. What reads them is called
// concurrently and must not block. It is an error to add one twice.

func (m *Metrics) counter(name, help string, read func() uint64) error {
	return m.registry.Register(counterFunc(name, help, read))
}

func (m *Metrics) gauge(name, help string, read func() uint64) error {
	return m.registry.Register(prometheus.NewGaugeFunc(
		prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help}, func() float64 { return float64(read()) }))
}

// Memory adds the memory in use, of the limit that is closest to be reached, and the
// smallest limit, in octets.
func (m *Metrics) Memory(used, limit func() uint64) error {
	return errors.Join(
		m.gauge("memory_used_octets", "Memory in use, as last measured, of the limit that is nearest.", used),
		m.gauge("memory_limit_octets", "Memory that clearspan may use: the smallest limit.", limit),
	)
}

// AuditLost adds the audit entries that were lost.
func (m *Metrics) AuditLost(read func() uint64) error {
	return m.counter("audit_lost_entries_total", "Audit entries that clearspan could not write.", read)
}

// QUICLost adds the QUIC flows that were judged and have no audit entry, and those
// that were forgotten before they were judged.
func (m *Metrics) QUICLost(unwritten, forgotten func() uint64) error {
	return errors.Join(
		m.counter("quic_flows_unwritten_total", "QUIC flows without an audit entry, because there were too many.", unwritten),
		m.counter("quic_flows_forgotten_total", "QUIC flows that clearspan forgot before it judged them, because there were too many.", forgotten),
	)
}

// RootsSkipped adds how many roots are left out because they cannot be read.
func (m *Metrics) RootsSkipped(read func() uint64) error {
	return m.gauge("origin_roots_skipped", "Certificates and files of `origin.roots` that clearspan cannot read.", read)
}

// LeafCache adds how many forged leaves are kept.
func (m *Metrics) LeafCache(read func() uint64) error {
	return m.gauge("leaf_cache_entries", "Forged certificates in the cache.", read)
}

// Queries are counts of the queries of all forwarders of DNS.
type Queries struct{ Passed, Stripped, Failed, Refused, Dropped uint64 }

// DNS adds the queries of forwarders of DNS.
func (m *Metrics) DNS(read func() Queries) error {
	return errors.Join(
		m.counter("dns_passed_total", "DNS queries with an answer as the name server sent it.", func() uint64 { return read().Passed }),
		m.counter("dns_stripped_total", "DNS queries with an answer from which clearspan removed keys or records.", func() uint64 { return read().Stripped }),
		m.counter("dns_failed_total", "DNS queries without a usable answer of any name server.", func() uint64 { return read().Failed }),
		m.counter("dns_refused_total", "DNS queries that were malformed, or came from clients that may not ask.", func() uint64 { return read().Refused }),
		m.counter("dns_dropped_total", "DNS queries and connections beyond the limit of concurrent ones.", func() uint64 { return read().Dropped }),
	)
}
