package feed

import (
	"fmt"
	"strings"

	"github.com/clearspan/clearspan/appliance/health"
	"github.com/clearspan/clearspan/mirror"
	"github.com/clearspan/clearspan/mirror/pcapip"
	"github.com/clearspan/clearspan/mirror/pcapng"
	"github.com/clearspan/clearspan/mirror/port"
	"github.com/clearspan/clearspan/mirror/vxlan"
)

// status is how a mirror does at one moment.
type status struct {
	health.Reading
	queued  uint64 // octets that wait
	readers int    // of a live feed; -1 for other mirrors
}

// Watch puts a part for each mirror onto board.
func (f *Feed) Watch(board *health.Board) {
	for _, k := range f.sinks {
		if k.status != nil {
			board.Add(health.Mirror, k.name, func() health.Reading { return k.status().Reading })
		}
	}
}

// Queue is what waits in a mirror.
type Queue struct {
	Octets  uint64
	Readers int // of a live feed; -1 for other mirrors
}

// Queues returns what waits in the mirrors now, by name.
func (f *Feed) Queues() map[string]Queue {
	list := make(map[string]Queue, len(f.sinks))
	for _, k := range f.sinks {
		if k.status != nil {
			s := k.status()
			list[k.name] = Queue{Octets: s.queued, Readers: s.readers}
		}
	}
	return list
}

// portStatus describes a mirror of interfaces. Sessions are spread over them: one that is
// down costs those that are on it.
func portStatus(names []string, ports []port.Sink) status {
	s := status{readers: -1}
	var causes []string
	for i, p := range ports {
		stats := p.Stats()
		s.queued += stats.Queued
		switch {
		case stats.Up:
		case stats.Link == "up": // a moment before it is used again
			causes = append(causes, fmt.Sprintf("interface %s: not in use yet", names[i]))
		default:
			causes = append(causes, fmt.Sprintf("interface %s: %s", names[i], stats.Link))
		}
	}
	s.Why = strings.Join(causes, "; ")
	switch len(causes) {
	case 0:
	case len(ports):
		s.State = health.Down
		s.Do = "Look at the interface, the cable and the recorder. Sessions go on meanwhile; what the recorder does not get is counted."
	default:
		s.State = health.Degraded
	}
	return s
}

func fileStatus(stats pcapng.Stats) status {
	s := status{queued: stats.Queued, readers: -1}
	if stats.Failed {
		s.Reading = health.Reading{State: health.Down, Why: mirror.ErrStorage.Error(), Do: "Look at the disk of the capture files, and at its room. The log has the error."}
	}
	return s
}

func liveStatus(stats pcapip.Stats) status {
	return status{queued: stats.Queued, readers: stats.Readers} // nobody need read
}

func remoteStatus(remote string, stats vxlan.Stats) status {
	s := status{readers: -1}
	if !stats.Up {
		s.Reading = health.Reading{State: health.Down, Why: "remote " + remote + " is not reached", Do: "Look at the route to the remote, and whether its port is open."}
	}
	return s
}
