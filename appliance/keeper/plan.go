package keeper

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/clearspan/clearspan/appliance/keeper/role"
)

// Plan is what the keeper needs to know of a configuration.
type Plan struct {
	// Configuration is handed to workers as it is.
	Configuration []byte
	// Parsed is for those who made the plan: the keeper does not look at it.
	Parsed any
	// Resources are what the keeper opens for workers, in this order.
	Resources []Resource
	// Tied workers die with the keeper: the next one takes apart what they use.
	Tied bool
	// InPlace reports whether a worker of running can change to this plan by itself.
	InPlace func(running *Plan) bool
	// Changed lists the keys whose values differ from those of running.
	Changed func(running *Plan) []string
	// Remedy adds to an error about a resource what can be done; may be nil.
	Remedy func(error) error
	// Drain is how long the sessions of a worker may go on when another one has taken
	// over, and at the end of the keeper.
	Drain time.Duration
}

// Resource is something that workers use one after the other.
type Resource struct {
	Name string // for workers, such as "intake/proxy"
	Key  string // what it is, such as "tcp 127.0.0.1:8080"; unique in a plan
	// Private resources are the keeper's alone: no worker gets their descriptors.
	Private bool
	// Sole resources are open once by each name, and by each of their claims: one with another
	// key takes its place at a restart.
	Sole   bool
	Claims []string
	// Open opens it.
	Open func() (Holding, error)
	// Beside opens it if Open finds its address in use, beside files of resources that the
	// new plan has no use for. It borrows them. nil: it cannot.
	Beside func(leaving []*os.File) (Holding, error)
	// Adopt takes over what a keeper before this one held, by its descriptors in the
	// order of [Holding.Files]. It owns them, if it succeeds.
	Adopt func(files []*os.File) (Holding, error)
}

// Holding is a resource that is open. The keeper calls its methods one at a time.
type Holding interface {
	// Files returns the descriptors, always the same ones in the same order. They are
	// borrowed.
	Files() []*os.File
	// Stop takes no more connections. Those that workers have go on.
	Stop() error
	// Close undoes what Open did. No worker that uses the resource is left.
	Close() error
}

// Retirer is a [Holding] that only a worker that serves has a use for.
type Retirer interface {
	Holding
	// Retire is called in place of Stop if no plan names the resource any more. Close
	// follows.
	Retire() error
}

// Placed is a [Holding] with files of its own, such as sockets. A keeper that has taken
// it over, and does not know it by its plan, removes them.
type Placed interface {
	Holding
	// Paths returns the files that Close removes.
	Paths() []string
}

// placed is what a keeper before this one held for workers that drain now. It was stopped,
// as far as it can be.
type placed struct {
	files Files
	paths []string
}

// Files implements [Holding].
func (p placed) Files() []*os.File { return p.files }

// Stop implements [Holding].
func (p placed) Stop() error { return nil }

// Close implements [Holding].
func (p placed) Close() error {
	errs := []error{p.files.Close()}
	for _, path := range p.paths {
		if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Paths implements [Placed].
func (p placed) Paths() []string { return p.paths }

// Sharer is a [Holding] with descriptors that are the keeper's alone.
type Sharer interface {
	Holding
	// Shared returns those of Files that workers get, in the same order. They are borrowed.
	Shared() []*os.File
}

// shared are the descriptors that workers get.
func shared(h Holding) []*os.File {
	if s, ok := h.(Sharer); ok {
		return s.Shared()
	}
	return h.Files()
}

// held is a resource that is open.
type held struct {
	Resource
	holding Holding
	stopped bool
}

// occupied says which sole resource of a plan cannot be opened, because another one of
// that name is there still; empty: none.
func (k *Keeper) occupied(plan *Plan) string {
	for _, r := range plan.Resources {
		if slices.ContainsFunc(k.held, func(h *held) bool { return h.rivals(r) && (h.stopped || h.Key != r.Key) }) {
			return r.Name
		}
	}
	return ""
}

// leaving says which sole resource only older workers use; empty: none.
func (k *Keeper) leaving() string {
	for _, h := range k.held {
		if h.Sole && h.stopped {
			return h.Name
		}
	}
	return ""
}

// rivals reports whether two sole resources cannot both be open.
func (h *held) rivals(r Resource) bool {
	return h.Sole && r.Sole && (h.Name == r.Name ||
		slices.ContainsFunc(h.Claims, func(c string) bool { return slices.Contains(r.Claims, c) }))
}

// retire stops what no plan names any more.
func (h *held) retire() error {
	r, ok := h.holding.(Retirer)
	if !ok || h.stopped {
		return h.stop()
	}
	h.stopped = true
	return r.Retire()
}

// again takes up for r what was stopped, and reports whether that is possible: its
// descriptors are still open.
func (h *held) again(r Resource) bool {
	if _, ok := h.holding.(Placed); !ok || !h.stopped || len(h.holding.Files()) == 0 {
		return false
	}
	for _, f := range h.holding.Files() {
		if _, err := role.Descriptor(f); err != nil {
			return false
		}
	}
	holding, err := r.Adopt(h.holding.Files())
	if err != nil {
		return false
	}
	h.Resource, h.holding, h.stopped = r, holding, false
	return true
}

// stop stops a holding once.
func (h *held) stop() error {
	if h.stopped {
		return nil
	}
	h.stopped = true
	return h.holding.Stop()
}
