package appliance

import "github.com/clearspan/clearspan/appliance/health"

// worker is the name of the part that stands for this process.
const worker = "main"

// openHealth makes the board. The parts come onto it as they are opened.
func (a *Appliance) openHealth() {
	a.health = health.New()
	a.setWorker(health.Reading{State: health.Down, Why: "starting"})
	a.health.Require(health.Worker, worker, true)
}

// setWorker says whether sessions are accepted.
func (a *Appliance) setWorker(r health.Reading) { a.health.Set(health.Worker, worker, r) }

// Health returns the board with the state of all parts.
func (a *Appliance) Health() *health.Board { return a.health }
