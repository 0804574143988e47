package feed

import (
	"fmt"
	"strings"
	"time"

	"github.com/clearspan/clearspan/appliance/admin"
	"github.com/clearspan/clearspan/appliance/health"
	"github.com/clearspan/clearspan/appliance/recorder/engine"
	"github.com/clearspan/clearspan/mirror"
	"github.com/clearspan/clearspan/mirror/pcapip"
	"github.com/clearspan/clearspan/mirror/pcapng"
	"github.com/clearspan/clearspan/mirror/port"
	"github.com/clearspan/clearspan/mirror/vxlan"
)

// status is how a mirror does at one moment.
type status struct {
	health.Reading
	frames  uint64 // so far
	queued  uint64 // octets that wait
	readers int    // of a live feed; -1 for other mirrors
}

// Watch puts a part for each mirror onto board.
func (f *Feed) Watch(board *health.Board) {
	for _, k := range f.sinks {
		if k.status != nil {
			board.Add(health.Mirror, k.name, func() health.Reading { return k.look().Reading })
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

// States returns how the mirrors do.
func (f *Feed) States() []admin.MirrorState {
	states := make([]admin.MirrorState, 0, len(f.sinks))
	for _, k := range f.sinks {
		s := status{readers: -1}
		if k.status != nil {
			s = k.look()
		}
		m := admin.MirrorState{Name: k.name, Queued: s.queued, Readers: s.readers}
		if at := k.last.Load(); at != 0 {
			m.Last = time.Unix(0, at)
		}
		states = append(states, m)
	}
	return states
}

// look asks the mirror how it does, and notes when it had more frames than before. The
// board looks several times a second.
func (k *sink) look() status {
	s := k.status()
	if k.seen.Swap(s.frames) != s.frames {
		k.last.Store(time.Now().UnixNano())
	}
	return s
}

// portStatus describes a mirror of interfaces. Sessions are spread over them: one that is
// down costs those that are on it.
func portStatus(names []string, ports []port.Sink) status {
	s := status{readers: -1}
	var causes []string
	for i, p := range ports {
		stats := p.Stats()
		s.queued += stats.Queued
		s.frames += stats.Frames
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
	s := status{frames: stats.Frames, queued: stats.Queued, readers: -1}
	if stats.Failed {
		s.Reading = health.Reading{State: health.Down, Why: mirror.ErrStorage.Error(), Do: "Look at the disk of the capture files, and at its room. The log has the error."}
	}
	return s
}

func liveStatus(stats pcapip.Stats) status {
	return status{frames: stats.Frames, queued: stats.Queued, readers: stats.Readers} // nobody need read
}

func recorderStatus(stats engine.Stats) status {
	s := status{frames: stats.Records, queued: stats.Queued, readers: -1}
	if !stats.Up {
		s.Reading = health.Reading{State: health.Down, Why: "the recorder does not answer", Do: "Look at the log of the recorder. What is said meanwhile waits in the buffer, and is counted as lost beyond it."}
		if stats.Why == nil {
			s.Reading.Why = "not connected yet"
		}
	}
	return s
}

func remoteStatus(remote string, stats vxlan.Stats) status {
	s := status{frames: stats.Frames, readers: -1}
	if !stats.Up {
		s.Reading = health.Reading{State: health.Down, Why: "remote " + remote + " is not reached", Do: "Look at the route to the remote, and whether its port is open."}
	}
	return s
}
