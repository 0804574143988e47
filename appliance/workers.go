package appliance

import (
	"context"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/clearspan/clearspan/appliance/control"
	"github.com/clearspan/clearspan/appliance/control/client"
	"github.com/clearspan/clearspan/appliance/keeper/role"
	"github.com/clearspan/clearspan/appliance/query"
	"github.com/clearspan/clearspan/appliance/watch"
)

// Bounds of what other workers are asked for. All are asked at once.
const (
	workerTimeout = 2 * time.Second
	maxWorkers    = 32       // that are asked: the newest ones
	workerOctets  = 32 << 20 // of an answer
)

// openWorkerSocket opens the socket by which the worker that takes over asks this one. It is
// there from the start: later, this process may make no sockets.
func (a *Appliance) openWorkerSocket() error {
	if a.process == nil {
		return nil
	}
	socket, err := control.ListenWorker(a.cfg.State, os.Getpid())
	if err != nil {
		return err
	}
	server := control.NewServer(operations{a}, socket, a.log)
	a.serveWorker = func() {
		if err := server.Serve(); err != nil {
			a.log.Error("socket of the worker ended", "err", err)
		}
	}
	a.closers.push("socket of the worker", server.Close)
	return nil
}

// merged are the operations of the newest worker: it answers for those that drain, too.
type merged struct{ operations }

// workers returns what the keeper knows of its workers, the newest first; none if there is
// no keeper, or it does not answer.
func (m merged) workers() []role.WorkerStatus {
	ctx, cancel := context.WithTimeout(context.Background(), workerTimeout)
	defer cancel()
	answer, err := m.process.Ask(ctx, role.AskStatus)
	if err != nil || answer.Status == nil {
		return nil
	}
	return slices.DeleteFunc(answer.Status.Workers, func(w role.WorkerStatus) bool { return w.State == "starting" })
}

// workers returns how many processes serve or drain.
func (a *Appliance) workers() int {
	if a.process == nil {
		return 1
	}
	return max(len(merged{operations{a}}.workers()), 1)
}

// others returns the other workers among list, by their process numbers.
func others(list []role.WorkerStatus) (pids []int) {
	for _, w := range list {
		if w.PID != os.Getpid() {
			pids = append(pids, w.PID)
		}
	}
	return pids
}

// ask calls f with a client of each of the workers, all at once, and returns those that did
// not answer in time. A worker that has ended meanwhile has nothing to tell.
func (m merged) ask(pids []int, f func(ctx context.Context, c *client.Client, pid int) error) (missing []int) {
	ctx, cancel := context.WithTimeout(context.Background(), workerTimeout)
	defer cancel()
	state := m.inForce.Load().cfg.State
	var mu sync.Mutex
	var asking sync.WaitGroup
	for i, pid := range pids {
		asking.Go(func() {
			err := error(client.ErrNotRunning)
			if i < maxWorkers {
				err = askWorker(ctx, state, pid, f)
			}
			if err != nil {
				m.log.Debug("worker does not answer", "pid", pid, "err", err)
				mu.Lock()
				missing = append(missing, pid)
				mu.Unlock()
			}
		})
	}
	asking.Wait()
	slices.Sort(missing)
	return missing
}

func askWorker(ctx context.Context, state string, pid int, f func(context.Context, *client.Client, int) error) error {
	c, err := client.At(control.WorkerSocket(state, pid))
	if err != nil {
		return err
	}
	defer c.Close()
	c.Bound(workerOctets)
	return f(ctx, c, pid)
}

// Status implements [control.Operations].
func (m merged) Status() control.Status {
	s, list := m.operations.Status(), m.workers()
	told := make(map[int]control.Status)
	var mu sync.Mutex
	missing := m.ask(others(list), func(ctx context.Context, c *client.Client, pid int) error {
		is, err := c.Status(ctx)
		mu.Lock()
		defer mu.Unlock()
		if err == nil {
			told[pid] = is
		}
		return err
	})
	for _, w := range list {
		one := control.Worker{Process: w.PID, Phase: w.State, Since: w.Since, Until: w.Until, Sessions: max(w.Sessions, 0)}
		is, answered := told[w.PID]
		switch {
		case w.PID == s.Process:
			one.Sessions, one.Version = m.limiter.Open(), s.Version
		case answered:
			one.Sessions, one.Version = max(is.Sessions.Open, 0), is.Version
			s.Sessions.Recent.Began += is.Sessions.Recent.Began
			s.Sessions.Recent.Ended += is.Sessions.Recent.Ended
			s.Sessions.Recent.Sent += is.Sessions.Recent.Sent
			s.Sessions.Recent.Received += is.Sessions.Recent.Received
		}
		one.Missing = slices.Contains(missing, w.PID)
		if w.PID != s.Process {
			s.Sessions.Open += one.Sessions
		}
		s.Workers = append(s.Workers, one)
	}
	return s
}

// Sessions implements [control.Operations]. Ended sessions of other processes are in the
// list of this one, see [Appliance.followOthers].
func (m merged) Sessions(q *query.Query, limit int, at watch.Cursor) (control.List, error) {
	limit = min(max(limit, 1), watch.MaxList)
	var rows []watch.Row
	var mu sync.Mutex
	var missing []int
	if watch.OfOpen(at) {
		missing = m.ask(others(m.workers()), func(ctx context.Context, c *client.Client, _ int) error {
			list, err := c.Sessions(ctx, q.String(), limit, at)
			mu.Lock()
			defer mu.Unlock()
			rows = append(rows, list.Sessions[:min(len(list.Sessions), limit)]...)
			return err
		})
	}
	list, next, err := m.book.Watch.ListWith(rows, q, limit, at)
	return control.List{Sessions: list, Next: next, Missing: missing}, err
}

// Session implements [control.Operations].
func (m merged) Session(id string) (d control.Detail, found bool) {
	if d, found = m.operations.Session(id); found {
		return d, true
	}
	var mu sync.Mutex
	m.ask(others(m.workers()), func(ctx context.Context, c *client.Client, _ int) error {
		one, err := c.Session(ctx, id)
		mu.Lock()
		defer mu.Unlock()
		if err == nil && one.Session == id {
			d, found = one, true
		}
		return err
	})
	return d, found
}

// EndSession implements [control.Operations].
func (m merged) EndSession(id string) (ended bool) {
	if m.operations.EndSession(id) {
		return true
	}
	var mu sync.Mutex
	m.ask(others(m.workers()), func(ctx context.Context, c *client.Client, _ int) error {
		err := c.EndSession(ctx, id)
		mu.Lock()
		defer mu.Unlock()
		ended = ended || err == nil
		return err
	})
	return ended
}
