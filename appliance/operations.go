package appliance

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/clearspan/clearspan/appliance/config"
	"github.com/clearspan/clearspan/appliance/control"
)

// controls are what operators reach the box by.
type controls struct {
	file     string       // of the configuration, absolute; "": built in
	reloader Reloader     // may be nil
	listener net.Listener // of the control socket
	control  *control.Server
	started  time.Time
	phase    atomic.Value // of control.Phase
}

// inForce is what operators are told of the configuration that is in force.
type inForce struct {
	cfg    *config.Config
	loaded time.Time
	waits  []string // keys whose change needs a restart
}

// Reloader reads the configuration again and puts it in force, as far as that is
// possible. On error the running configuration stays.
type Reloader func(context.Context, *Appliance) (control.Reloaded, error)

// WithReloader has operators reload the box by way of f. file is that of the
// configuration, absolute, "" if there is none. Without a reloader they cannot.
func WithReloader(file string, f Reloader) Option {
	return func(a *Appliance) { a.file, a.reloader = file, f }
}

// WithControl has operators reach the box by l, a listener of unix sockets that others
// hold open. Without it [New] opens the control socket itself.
func WithControl(l net.Listener) Option { return func(a *Appliance) { a.listener = l } }

// openControl opens the control socket. Nobody is answered before Run.
func (a *Appliance) openControl() error {
	a.started = time.Now()
	a.phase.Store(control.Starting)
	a.inForce.Store(&inForce{cfg: a.cfg, loaded: a.started})
	if a.listener == nil {
		socket, err := control.Listen(a.cfg.State)
		if errors.Is(err, control.ErrInUse) {
			return fmt.Errorf("state directory %s is in use by another clearspan", a.cfg.State)
		}
		if err != nil {
			return err
		}
		a.listener = socket
		a.log.Debug("control socket", "path", socket.Path())
	}
	a.control = control.NewServer(operations{a}, a.log)
	a.closers.push("control socket", func() error {
		err := a.control.Close()
		a.listener.Close() // Serve may not have been called
		return err
	})
	return nil
}

// serveControl answers operators until the appliance closes.
func (a *Appliance) serveControl() {
	if err := a.control.Serve(a.listener); err != nil {
		a.log.Error("control socket ended", "err", err)
	}
}

// Operations returns what operators may ask of the box.
func (a *Appliance) Operations() control.Operations { return operations{a} }

// operations are those of a box.
type operations struct{ *Appliance }

// Status implements [control.Operations].
func (o operations) Status() control.Status {
	now := o.inForce.Load()
	phase, _ := o.phase.Load().(control.Phase)
	limit, _ := o.admission.Limit()
	trusted := o.engine.Load().authorities.Trusted
	s := control.Status{
		State:    control.OK,
		Version:  o.version,
		Started:  o.started,
		Process:  os.Getpid(),
		Phase:    phase,
		Sessions: control.Sessions{Open: o.limiter.Open(), Limit: now.cfg.Limits.Sessions},
		Memory:   control.Memory{Used: o.admission.Used(), Limit: limit},
		Config: control.Config{
			File: o.file, State: now.cfg.State, Loaded: now.loaded, Rules: len(now.cfg.Policy.Rules), Waits: now.waits,
		},
		Authority: control.Authority{Fingerprint: trusted.Fingerprint(), Expires: trusted.Certificate().NotAfter},
	}
	if phase != control.Serving {
		s.State = control.Down
	}
	addrs := o.intakes.Addrs()
	for i, in := range now.cfg.Intakes {
		s.Intakes = append(s.Intakes, control.Intake{Name: in.Name, Mode: string(in.Mode), Listen: addrs[i].String()})
	}
	for _, m := range now.cfg.Mirrors {
		s.Mirrors = append(s.Mirrors, control.Named{Name: m.Name, Kind: string(m.Kind)})
	}
	for _, v := range now.cfg.Services {
		s.Services = append(s.Services, control.Named{Name: v.Name, Kind: string(v.Kind)})
	}
	return s
}

// Reload implements [control.Operations].
func (o operations) Reload(ctx context.Context) (control.Reloaded, error) {
	if o.reloader == nil {
		return control.Reloaded{}, control.NewProblem(control.TypeRequest, "this box has no configuration that can be read again")
	}
	return o.reloader(ctx, o.Appliance)
}
