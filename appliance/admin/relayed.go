package admin

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/clearspan/clearspan/decrypt"
	"github.com/clearspan/clearspan/decrypt/policy"
)

// relayedShards is over how many cache lines the octets of sessions are spread, so that
// processors do not wait for each other.
const relayedShards = 16

// relayedActions are the actions by which octets count, behind that of a session without
// a decision.
const relayedActions = int(policy.Terminate) + 2

// relayed counts octets while sessions are open. The zero value is ready. It is a
// [prometheus.Collector].
type relayed struct {
	shards [relayedShards]struct {
		octets [relayedActions][2]atomic.Uint64
		_      [48]byte
	}
}

var (
	relayedDesc = prometheus.NewDesc(prometheus.BuildFQName(namespace, "", "relayed_octets_total"),
		"Octets of application data that sessions have relayed.", []string{"direction"}, nil)
	actionDesc = prometheus.NewDesc(prometheus.BuildFQName(namespace, "", "action_octets_total"),
		"Octets of application data that sessions have relayed, by the action when they were.", []string{"action"}, nil)
)

// Relayed counts octets of a session that is open. It suits [decrypt.Config.Relayed].
func (m *Metrics) Relayed(s *decrypt.Session, dir decrypt.Direction, octets uint64) {
	action := 0
	if s.Decision.Rule != "" {
		action = min(int(s.Decision.Action)+1, relayedActions-1)
	}
	m.relayed.shards[s.Client.Port()%relayedShards].octets[action][dir&1].Add(octets)
}

// RelayedOctets returns the octets that all sessions have relayed so far, by direction.
func (m *Metrics) RelayedOctets() (octets [2]uint64) {
	for _, by := range m.relayed.sums() {
		for dir := range octets {
			octets[dir] += by[dir]
		}
	}
	return octets
}

// sums returns the octets by action and direction.
func (r *relayed) sums() (sums [relayedActions][2]uint64) {
	for i := range r.shards {
		for action := range sums {
			for dir := range sums[action] {
				sums[action][dir] += r.shards[i].octets[action][dir].Load()
			}
		}
	}
	return sums
}

// Describe implements [prometheus.Collector].
func (r *relayed) Describe(to chan<- *prometheus.Desc) {
	to <- relayedDesc
	to <- actionDesc
}

// Collect implements [prometheus.Collector].
func (r *relayed) Collect(to chan<- prometheus.Metric) {
	var by [2]uint64
	for i, n := range r.sums() {
		action := noAction
		if i > 0 {
			action = policy.Action(i - 1).String()
		}
		to <- prometheus.MustNewConstMetric(actionDesc, prometheus.CounterValue, float64(n[0]+n[1]), action)
		by[0] += n[0]
		by[1] += n[1]
	}
	for dir, n := range by {
		to <- prometheus.MustNewConstMetric(relayedDesc, prometheus.CounterValue, float64(n), decrypt.Direction(dir).String())
	}
}
