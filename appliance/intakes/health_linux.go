package intakes

import (
	"fmt"
	"strings"

	"github.com/clearspan/clearspan/appliance/config"
	"github.com/clearspan/clearspan/appliance/health"
	"github.com/clearspan/clearspan/appliance/intake"
	"github.com/clearspan/clearspan/appliance/intake/wire"
)

// Watch puts a part for each intake onto board. The box is not ready while an intake
// that listens accepts nothing. A wire is a part of its own kind.
func (s *Set) Watch(board *health.Board) {
	wires := 0
	for i, c := range s.cfg.Configuration.Intakes {
		if c.Mode == config.Wire {
			w := s.wires[wires]
			wires++
			board.Add(health.Wire, c.Name, func() health.Reading { return wireHealth(w, c) })
			continue
		}
		board.Add(health.Intake, c.Name, func() health.Reading { return s.intakeHealth(i) })
		board.Require(health.Intake, c.Name, true)
	}
}

func (s *Set) intakeHealth(i int) health.Reading {
	if err := s.ended[i].Load(); err != nil {
		return health.Reading{State: health.Down, Why: (*err).Error()}
	}
	in, ok := s.all[i].(interface{ Failing() error })
	if !ok {
		return health.Reading{}
	}
	if err := in.Failing(); err != nil {
		return health.Reading{State: health.Down, Why: err.Error(), Do: "Raise the limit of open files, or lower limits.sessions. The log has the error."}
	}
	return health.Reading{}
}

// wireHealth describes a wire: down if it takes no connections, degraded if a leg has no
// carrier, so that nothing passes there.
func wireHealth(w *wire.Intake, c config.Intake) health.Reading {
	now := w.Condition()
	switch {
	case !now.Taking && c.Wire.Down == intake.DownBlock:
		return health.Reading{State: health.Down, Why: "takes no connections, they are blocked"}
	case !now.Taking:
		return health.Reading{State: health.Down, Why: "takes no connections, they pass undecrypted"}
	case len(now.Lost) > 0:
		return health.Reading{
			State: health.Degraded, Why: fmt.Sprintf("no carrier on %s", strings.Join(now.Lost, " and ")),
			Do: "Look at the cable and at the device at its other end.",
		}
	}
	return health.Reading{}
}
