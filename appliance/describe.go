package appliance

import (
	"strings"

	"github.com/clearspan/clearspan/appliance/admin"
	"github.com/clearspan/clearspan/appliance/config"
	"github.com/clearspan/clearspan/appliance/control"
	"github.com/clearspan/clearspan/appliance/health"
)

// conditions returns how the parts of a kind are, by name.
func (a *Appliance) conditions(kind health.Kind) map[string]control.Condition {
	list := make(map[string]control.Condition)
	for _, p := range a.health.Parts() {
		if p.Kind == kind {
			list[p.Name] = control.Condition{State: p.State, Since: p.Since, Why: p.Why, Do: p.Do}
		}
	}
	return list
}

// Intakes implements [control.Operations].
func (o operations) Intakes() []control.Intake {
	numbers, list := o.metrics.Snapshot(), []control.Intake{}
	is, wires := o.conditions(health.Intake), o.conditions(health.Wire)
	addrs := o.intakes.Addrs()
	for i, in := range o.inForce.Load().cfg.Intakes {
		named := map[string]string{"intake": in.Name}
		to := control.Intake{
			Name: in.Name, Mode: string(in.Mode), Listen: addrs[i].String(), Condition: is[in.Name],
			Open:    int(numbers.Total("sessions_open", named)),
			Refused: numbers.By("intake_refusals_total", "reason", named),
		}
		if in.Mode == config.Wire {
			to.Listen = strings.Join(in.Wire.Legs[:], ", ")
			if c, known := wires[in.Name]; known {
				to.Condition = c
			}
		}
		list = append(list, to)
	}
	return list
}

// Mirrors implements [control.Operations].
func (o operations) Mirrors() []control.Mirror {
	numbers, list := o.metrics.Snapshot(), []control.Mirror{}
	is := o.conditions(health.Mirror)
	for _, m := range o.inForce.Load().cfg.Mirrors {
		named := map[string]string{"sink": m.Name}
		to := control.Mirror{
			Name: m.Name, Kind: string(m.Kind), To: mirrorPlace(&m), Condition: is[m.Name],
			Frames: uint64(numbers.Total("mirror_frames_total", named)),
			Octets: uint64(numbers.Total("mirror_octets_total", named)),
			Lost:   numbers.By("mirror_lost_octets_total", "reason", named),
		}
		for name, n := range o.feed.Queues() {
			if name == m.Name {
				to.Queued = n.Octets
				if m.Kind == config.PCAPOverIP {
					to.Readers = &n.Readers
				}
			}
		}
		list = append(list, to)
	}
	return list
}

// mirrorPlace says where a mirror's frames go.
func mirrorPlace(m *config.Mirror) string {
	switch m.Kind {
	case config.Interface:
		return strings.Join(m.Interfaces, ", ")
	case config.PCAPNG:
		return m.Files.Directory
	case config.PCAPOverIP:
		return m.Live.Addr
	case config.VXLAN:
		return m.Remote.Remote.String()
	}
	return ""
}

// Services implements [control.Operations].
func (o operations) Services() []control.Service {
	numbers, list := o.metrics.Snapshot(), []control.Service{}
	is := o.conditions(health.Service)
	for _, v := range o.inForce.Load().cfg.Services {
		to := control.Service{Name: v.Name, Kind: string(v.Kind), Condition: is[v.Name]}
		named := map[string]string{"service": v.Name}
		switch v.Kind {
		case config.ICAP:
			to.To, to.Results = strings.Join(v.ICAP.URLs, ", "), numbers.By("service_decision_seconds", "result", named)
			to.Mean = mean(numbers.Series("service_decision_seconds", named))
		case config.Inline:
			to.To, to.Results = strings.Join(v.Inline.Legs[:], ", "), numbers.By("inline_events_total", "event", named)
		}
		list = append(list, to)
	}
	return list
}

// mean returns the mean of all observations.
func mean(all []admin.Series) float64 {
	var sum, n float64
	for _, one := range all {
		sum, n = sum+one.Sum, n+one.Value
	}
	if n == 0 {
		return 0
	}
	return sum / n
}
