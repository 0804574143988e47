package services

import (
	"strings"
	"time"

	"github.com/clearspan/clearspan/appliance/health"
	"github.com/clearspan/clearspan/appliance/service/icap"
)

// checkInterval is how long an ICAP server may be silent before it is asked whether it is
// there.
const checkInterval = 10 * time.Second

// Watch puts a part for each service onto board.
func (set *Set) Watch(board *health.Board) {
	for i, name := range set.names {
		board.Add(health.Service, name, set.state[i])
	}
}

// icapHealth describes a service: degraded if a server does not do its work, down if none
// does.
func icapHealth(servers []icap.Status) health.Reading {
	var causes []string
	for _, s := range servers {
		if s.Err != nil {
			causes = append(causes, "server "+s.Server+": "+s.Err.Error())
		}
	}
	r := health.Reading{Why: strings.Join(causes, "; ")}
	switch len(causes) {
	case 0:
	case len(servers):
		r.State = health.Down
	default:
		r.State = health.Degraded
	}
	return r
}

func deviceHealth(why string) health.Reading {
	if why == "" {
		return health.Reading{}
	}
	return health.Reading{State: health.Down, Why: why, Do: "Look at the device and its cables. Sessions fail or pass it, as on_failure says."}
}
