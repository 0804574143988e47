package appliance

import (
	"context"
	"slices"
	"sync"

	"github.com/clearspan/clearspan/appliance/control"
	"github.com/clearspan/clearspan/appliance/control/client"
	"github.com/clearspan/clearspan/appliance/watch"
)

// followed are the ended sessions that are asked of a worker that was replaced: the newest
// ones. Those of a further worker before it are among them.
const followed = 2 * watch.MaxList

// onlyEnded is the query for sessions that have ended.
const onlyEnded = "state:ended"

// followOthers lists what ended in the workers that this one has replaced, and tells what
// ends there from now on, as if it were here. It returns when they have ended, or with ctx.
func (a *Appliance) followOthers(ctx context.Context) {
	state := a.inForce.Load().cfg.State
	var all sync.WaitGroup
	for _, pid := range others(merged{operations{a}}.workers()) {
		all.Go(func() {
			if err := a.follow(ctx, state, pid); err != nil && ctx.Err() == nil {
				a.log.Debug("sessions of a worker that was replaced are not told", "pid", pid, "err", err)
			}
		})
	}
	all.Wait()
}

// follow follows one of them.
func (a *Appliance) follow(ctx context.Context, state string, pid int) error {
	c, err := client.At(control.WorkerSocket(state, pid))
	if err != nil {
		return err
	}
	defer c.Close()
	c.Bound(workerOctets)
	events, err := c.Follow(ctx, onlyEnded) // first: what ends meanwhile is in both
	if err != nil {
		return err
	}
	defer events.Close()
	var rows []watch.Row
	for at := watch.Cursor(""); len(rows) < followed; {
		list, err := c.Sessions(ctx, onlyEnded, watch.MaxList, at)
		if err != nil {
			return err
		}
		rows = append(rows, list.Sessions...)
		if at = list.Next; at == "" {
			break
		}
	}
	slices.Reverse(rows) // the oldest first
	for i := range rows {
		a.book.Watch.Adopt(&rows[i])
	}
	for {
		e, err := events.Next()
		if err != nil {
			return err
		}
		if e.Row != nil {
			a.book.Watch.Adopt(e.Row)
		}
	}
}
