package audit

import (
	"fmt"
	"time"

	"github.com/clearspan/clearspan/appliance/health"
	"github.com/clearspan/clearspan/appliance/spool"
)

// stalled is how long a file may take nothing while entries wait.
const stalled = 5 * time.Second

// Health tells how the log does: down if it cannot be written or loses entries, degraded
// if entries wait.
func (l *Log) Health() health.Reading { return judge(l.spool.State()) }

func judge(s spool.State) health.Reading {
	kept := fmt.Sprintf("%d entries wait", s.Waiting)
	if s.Full {
		kept = "entries are lost"
	}
	switch {
	case s.Err != nil:
		return health.Reading{State: health.Down, Why: "cannot be written, " + kept + ": " + s.Err.Error()}
	case s.Full:
		return health.Reading{State: health.Down, Why: "takes nothing, " + kept}
	case s.Stalled > stalled:
		return health.Reading{State: health.Degraded, Why: "takes nothing, " + kept}
	}
	return health.Reading{}
}
