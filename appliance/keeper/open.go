package keeper

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"
	"time"
)

// open opens what the plan needs, and starts a worker.
func (k *Keeper) open(c *change) {
	if err := k.openResources(c.plan); err != nil {
		if errors.Is(err, syscall.EADDRINUSE) && k.again(c) {
			return
		}
		k.refused(err)
		return
	}
	w, err := k.startWorker(c.plan)
	if err != nil {
		k.refused(err)
		return
	}
	c.worker = w
	if !c.first { // a first start may wait for a passphrase, or for devices
		c.until = time.Now().Add(k.cfg.Patience)
	}
}

// An address may be in use until a worker that was told to drain has closed it.
const (
	openTries = 40
	openPause = 25 * time.Millisecond
)

// again opens later what a plan needs, if that may help.
func (k *Keeper) again(c *change) bool {
	if c.tries++; c.tries >= openTries || !slices.ContainsFunc(k.workers, func(w *worker) bool { return w.state == Draining || w.state == Ending }) {
		return false
	}
	time.AfterFunc(openPause, func() {
		k.do(func() {
			if k.change == c {
				k.open(c)
			}
		})
	})
	return true
}

// openResources opens the resources of a plan that are not held.
func (k *Keeper) openResources(plan *Plan) error {
	for _, r := range plan.Resources {
		i := slices.IndexFunc(k.held, func(h *held) bool { return h.Key == r.Key && !h.stopped })
		if i >= 0 {
			k.held[i].Resource = r // its name may be another one
			continue
		}
		if slices.ContainsFunc(k.held, func(h *held) bool { return h.Key == r.Key && h.again(r) }) {
			continue
		}
		k.closeFormer(r)
		holding, err := k.openResource(r, plan)
		if err != nil {
			if errors.Is(err, syscall.EADDRINUSE) && k.plan != nil && r.Beside == nil {
				err = fmt.Errorf("%w (if clearspan itself holds it by another address, this change needs a restart)", err)
			}
			if plan.Remedy != nil {
				err = plan.Remedy(err)
			}
			return err
		}
		k.held = append(k.held, &held{Resource: r, holding: holding})
		k.serveOrders(r.Name, holding)
	}
	return nil
}

// openResource opens a resource of a plan, beside others that the plan has no use for.
func (k *Keeper) openResource(r Resource, plan *Plan) (Holding, error) {
	holding, err := r.Open()
	if r.Beside == nil || !errors.Is(err, syscall.EADDRINUSE) {
		return holding, err
	}
	var leaving []*os.File
	for _, h := range k.held {
		if !h.stopped && !slices.ContainsFunc(plan.Resources, func(r Resource) bool { return r.Key == h.Key }) {
			leaving = append(leaving, h.holding.Files()...)
		}
	}
	if len(leaving) == 0 {
		return nil, err
	}
	return r.Beside(leaving)
}

// closeFormer closes what is in the way of a sole resource and has no user.
func (k *Keeper) closeFormer(r Resource) {
	k.held = slices.DeleteFunc(k.held, func(h *held) bool {
		former := h.rivals(r) && !slices.ContainsFunc(k.workers, func(w *worker) bool { return w.uses[h.Key] })
		if former {
			k.complain("close", h, errors.Join(h.stop(), h.holding.Close()))
		}
		return former
	})
}
