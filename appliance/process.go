package appliance

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/clearspan/clearspan/appliance/intake"
	"github.com/clearspan/clearspan/appliance/keeper/role"
)

// membership is what a box has that is a process of a keeper. Its zero value is that of
// one on its own.
type membership struct {
	process  *role.Process // nil: on its own
	order    func(a *Appliance, configuration []byte) role.Result
	pulse    *intake.Pulse
	drainFor atomic.Pointer[time.Duration] // what the keeper said; nil: nothing

	serveWorker func() // answers at the process's own socket; nil if there is no keeper
}

// WithProcess has the box be a process of a keeper: it takes its listeners from there,
// says when it is ready, and obeys. reload puts a configuration in force that the keeper
// sends.
func WithProcess(p *role.Process, reload func(a *Appliance, configuration []byte) role.Result) Option {
	return func(a *Appliance) { a.process, a.order, a.pulse = p, reload, new(intake.Pulse) }
}

// holder has the descriptors that the keeper gave; nil if there is no keeper.
func (m *membership) holder() *role.Holder {
	if m.process == nil {
		return nil
	}
	return m.process.Holder
}

// beatEvery is how often the keeper hears that accept loops run.
const beatEvery = time.Second

// join tells the keeper that the box is ready, and obeys it from now on: stop is called
// when it is to take no more. serving has what goes on until the box is closed.
func (a *Appliance) join(stop func(), serving *sync.WaitGroup) {
	if a.process == nil {
		return
	}
	a.process.Holder.Close() // what nobody took
	a.tell()                 // before, so that the service manager has it with the news that the box is ready
	if err := a.process.Ready(a.version); err != nil {
		a.log.Debug("keeper not told", "err", err) // it is gone, which ends this process
	}
	serving.Go(func() { a.obey(a.killed, stop) })
	serving.Go(func() { a.pulse.Run(a.killed, beatEvery, a.beat) })
}

// beat tells the keeper that this process works, and how it is.
func (a *Appliance) beat() {
	if a.process.Beat() == nil { // else the keeper is gone, which ends this process
		a.tell()
	}
}

// tell tells the keeper how this process is.
func (a *Appliance) tell() {
	a.process.Tell(role.State{Sessions: a.limiter.Open(), Summary: a.Summary()})
}

// obey does what the keeper says until ctx ends.
func (a *Appliance) obey(ctx context.Context, stop func()) {
	var drains <-chan time.Time // beats end with the accept loops
	for {
		select {
		case <-drains:
			a.process.Tell(role.State{Sessions: a.limiter.Open(), Summary: a.Summary()}) // the keeper may be gone
		case o := <-a.process.Orders():
			if o.Refused != nil {
				a.noteReload(o.Refused)
				continue
			}
			if o.Drain == nil {
				done := a.order(a, o.Configuration)
				a.noteReload(done.Err())
				o.Done(done)
				continue
			}
			a.drainFor.Store(&o.Drain.For)
			if o.Drain.Replaced {
				if !a.process.Gone() {
					a.intakes.Succeeded()
				}
				a.yield()
			}
			stop()
			a.process.Tell(role.State{Sessions: a.limiter.Open(), Summary: a.Summary()})
			if drains == nil {
				tick := time.NewTicker(beatEvery)
				defer tick.Stop()
				drains = tick.C
			}
		case <-ctx.Done():
			return
		}
	}
}

// yield leaves operators and readers of live feeds to the process that has taken over.
// Requests under way are answered.
func (a *Appliance) yield() {
	a.feed.Yield()
	for _, end := range []func() error{a.control.Close, a.closeAdmin, a.closePublish} {
		go func() {
			if err := end(); err != nil {
				a.log.Debug("listener of operators not closed in order", "err", err)
			}
		}()
	}
}

func (a *Appliance) closeAdmin() error {
	if a.admin == nil {
		return nil
	}
	return a.admin.Close()
}

func (a *Appliance) closePublish() error {
	if a.publish == nil {
		return nil
	}
	return a.publish.Close()
}
