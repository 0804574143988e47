package appliance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/clearspan/clearspan/appliance/audit"
	"github.com/clearspan/clearspan/appliance/config"
	"github.com/clearspan/clearspan/appliance/control"
	"github.com/clearspan/clearspan/appliance/health"
	"github.com/clearspan/clearspan/appliance/query"
	"github.com/clearspan/clearspan/appliance/watch"
	"github.com/clearspan/clearspan/decrypt/learn"
)

// controls are what operators reach the box by.
type controls struct {
	file     string        // of the configuration, absolute; "": built in
	reloader Reloader      // may be nil
	recent   func() string // the last lines of the log; may be nil
	listener net.Listener  // of the control socket
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

// WithRecentLog has operators read the last lines of the log, which recent returns.
func WithRecentLog(recent func() string) Option { return func(a *Appliance) { a.recent = recent } }

// WithControl has operators reach the box by l, a listener of unix sockets that others
// hold open. Without it [New] opens the control socket itself.
func WithControl(l net.Listener) Option { return func(a *Appliance) { a.listener = l } }

// openControl opens the control socket. Nobody is answered before Run.
func (a *Appliance) openControl() error {
	a.started = time.Now()
	a.phase.Store(control.Starting)
	a.inForce.Store(&inForce{cfg: a.cfg, loaded: a.started})
	if a.listener == nil {
		held, err := a.holder().Listener(heldControl)
		if err != nil {
			return err
		}
		a.listener = held
	}
	if a.listener == nil {
		socket, err := control.Listen(a.cfg.State)
		if err != nil {
			return stateInUse(a.cfg.State, err)
		}
		a.listener = socket
		a.log.Debug("control socket", "path", socket.Path())
	}
	a.control = control.NewServer(a.Operations(), a.listener, a.log)
	a.closers.push("control socket", a.control.Close)
	return nil
}

// stateInUse says whose the socket of a state directory is.
func stateInUse(state string, err error) error {
	if errors.Is(err, control.ErrInUse) {
		return fmt.Errorf("state directory %s is in use by another clearspan", state)
	}
	return err
}

// serveControl answers operators until the appliance closes.
func (a *Appliance) serveControl() {
	if err := a.control.Serve(); err != nil {
		a.log.Error("control socket ended", "err", err)
	}
}

// Operations returns what operators may ask of the box.
func (a *Appliance) Operations() control.Operations {
	if a.process == nil {
		return operations{a}
	}
	return merged{operations{a}}
}

// recent is the window of the rates in a status.
const recent = 10 * time.Second

// operations are those of a box.
type operations struct{ *Appliance }

// Status implements [control.Operations].
func (o operations) Status() control.Status {
	now, is := o.inForce.Load(), o.health.Health()
	phase, _ := o.phase.Load().(control.Phase)
	limit, _ := o.admission.Limit()
	trusted, counts := o.engine.Load().authorities.Trusted, o.book.Watch.Counts()
	s := control.Status{
		State:   is.State,
		Ready:   is.Ready,
		Phase:   phase,
		Version: o.version,
		Started: o.started,
		Process: os.Getpid(),
		Sessions: control.Sessions{
			Open: o.limiter.Open(), Limit: now.cfg.Limits.Sessions, Began: counts.Began, Ended: counts.Ended,
			Recent: o.book.Watch.Rates(recent),
		},
		Memory: control.Memory{Used: o.admission.Used(), Limit: limit},
		Config: control.Config{
			File: o.file, State: absolute(now.cfg.State), Loaded: now.loaded, Rules: len(now.cfg.Policy.Rules), Waits: append([]string{}, now.waits...),
		},
		Authority: control.Authority{Fingerprint: trusted.Fingerprint(), Expires: trusted.Certificate().NotAfter},
		Parts:     is.Parts,
	}
	for _, a := range o.Alerts() {
		if a.Resolved.IsZero() {
			s.Alerts++
		}
	}
	return s
}

// Alerts implements [control.Operations].
func (o operations) Alerts() []health.Alert { return o.health.Alerts() }

// Sessions implements [control.Operations].
func (o operations) Sessions(q *query.Query, limit int, at watch.Cursor) (l control.List, err error) {
	l.Sessions, l.Next, err = o.book.Watch.List(q, limit, at)
	return l, err
}

// Session implements [control.Operations].
func (o operations) Session(id string) (d control.Detail, found bool) {
	if e, open := o.book.Entry(id); open {
		d.Entry, _ = json.Marshal(e) // it has a form in JSON, or none is shown
	}
	if d.Row, found = o.book.Watch.Get(id); found && d.State == watch.Ended {
		d.Entry, _ = audit.FindAt(o.inForce.Load().cfg.Audit.File, id, d.End()) // it may be in a file that was moved
	}
	return d, found
}

// EndSession implements [control.Operations].
func (o operations) EndSession(id string) bool { return o.book.Watch.Kill(id) }

// Subscribe implements [control.Operations].
func (o operations) Subscribe(q *query.Query) (*watch.Subscription, error) {
	return o.book.Watch.Subscribe(q)
}

// Top implements [control.Operations].
func (o operations) Top(ctx context.Context, window time.Duration, limit int) (control.Top, error) {
	return control.Measure(ctx, o.book.Watch, window, limit)
}

// Learned implements [control.Operations].
func (o operations) Learned() []learn.Entry { return append([]learn.Entry{}, o.learned.List()...) }

// KeepLearned implements [control.Operations].
func (o operations) KeepLearned(id string, keep bool) bool { return o.learned.Keep(id, keep) }

// DeleteLearned implements [control.Operations].
func (o operations) DeleteLearned(id string) bool { return o.learned.Delete(id) }

// Metrics implements [control.Operations].
func (o operations) Metrics(w io.Writer) error { return o.metrics.Snapshot().Write(w) }

// Configuration implements [control.Operations].
func (o operations) Configuration() ([]byte, error) {
	if o.file == "" {
		return []byte("# built in, with the flags of the command line\n"), nil
	}
	data, err := os.ReadFile(o.file)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	return config.Redact(data)
}

// Log implements [control.Operations].
func (o operations) Log() string {
	if o.recent == nil {
		return ""
	}
	return config.RedactText(o.recent())
}

// Reload implements [control.Operations].
func (o operations) Reload(ctx context.Context) (control.Reloaded, error) {
	if o.reloader == nil {
		return control.Reloaded{}, control.NewProblem(control.TypeRequest, "this box has no configuration that can be read again")
	}
	done, err := o.reloader(ctx, o.Appliance)
	o.noteReload(err)
	return done, err
}

// absolute returns the absolute path of a directory.
func absolute(dir string) string {
	if path, err := filepath.Abs(dir); err == nil {
		return path
	}
	return dir
}
