package keeper

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/clearspan/clearspan/appliance/keeper/role"
)

// request asks for a change.
type request struct {
	first    bool              // the start of all
	replace  bool              // start a worker of the plan in force: one has died, or the program is new
	binary   string            // a new program to run; empty: the same
	client   *os.File          // of an upgrade: the connection that asked for it
	upgraded bool              // this program is the new one
	reply    func(role.Result) // told of the end, by the loop
}

// change is a change under way.
type change struct {
	request
	plan   *Plan
	worker *worker // the new one; nil: none yet, or a change in place
	asked  *worker // that changes in place
	until  time.Time
	tries  int // to open what the plan needs

	program *os.File // to run in the place of this one, when workers are silent
	failure string   // why the program that was upgraded to goes back
}

// maxWaiting is how many changes may wait for one under way.
const maxWaiting = 8

// begin begins a change, or has it wait.
func (k *Keeper) begin(r request) {
	switch {
	case k.stopping:
		r.reply(ending)
		return
	case k.change != nil && len(k.waiting) >= maxWaiting:
		r.reply(role.Result{Error: "too many changes are waiting"})
		return
	case k.change != nil:
		k.waiting = append(k.waiting, r)
		return
	}
	k.retryAt = time.Time{}
	c := &change{request: r}
	k.change = c
	switch {
	case r.replace:
		c.plan = k.plan
		k.open(c)
	case r.binary != "":
		k.cfg.Told(Changing)
		go k.tryProgram(c, k.plan)
	default:
		if !r.first {
			k.cfg.Told(Changing)
		}
		go func() { // a long configuration takes its time
			plan, err := k.read()
			k.do(func() { k.planned(c, plan, err) })
		}()
	}
}

func (k *Keeper) read() (*Plan, error) {
	text, err := k.cfg.Read()
	if err != nil {
		return nil, err
	}
	return k.cfg.MakePlan(text)
}

// planned goes on when the configuration was read.
func (k *Keeper) planned(c *change, plan *Plan, err error) {
	if k.change != c { // the keeper ends
		return
	}
	if err != nil {
		k.refused(err)
		return
	}
	c.plan = plan
	running := k.current()
	if running == nil || !plan.InPlace(k.plan) && k.occupied(plan) == "" {
		k.open(c)
		return
	}
	k.inPlace(c, running)
}

// inPlace has the worker change by itself.
func (k *Keeper) inPlace(c *change, w *worker) {
	text, err := role.MemFile(role.FileConfiguration, c.plan.Configuration)
	if err != nil {
		k.refused(err)
		return
	}
	defer text.Close()
	c.asked, c.until = w, time.Now().Add(k.cfg.Patience)
	err = w.conn.Send(&role.Message{Kind: role.KindReload, Files: []role.Descriptors{{Name: role.FileConfiguration, Count: 1}}}, text)
	if err != nil {
		k.refused(err)
	}
}

// startWorker starts a worker with what the plan needs.
func (k *Keeper) startWorker(plan *Plan) (*worker, error) {
	text, err := role.MemFile(role.FileConfiguration, plan.Configuration)
	if err != nil {
		return nil, err
	}
	defer text.Close()
	names, files, uses := []role.Descriptors{{Name: role.FileConfiguration, Count: 1}}, []*os.File{text}, make(map[string]bool)
	for _, r := range plan.Resources {
		i := slices.IndexFunc(k.held, func(h *held) bool { return h.Key == r.Key && !h.stopped })
		if i < 0 {
			return nil, fmt.Errorf("resource %s is not open", r.Name)
		}
		uses[r.Key] = true
		if list := shared(k.held[i].holding); !r.Private {
			names, files = append(names, role.Descriptors{Name: r.Name, Count: len(list)}), append(files, list...)
		}
	}
	k.number++
	w, err := k.spawn(k.cfg.Program, &role.Start{
		Contract: role.Contract, Number: k.number, Users: k.users(), Options: k.cfg.Options, Prompts: k.cfg.Prompt != nil, Tied: plan.Tied,
	}, names, files)
	if err != nil {
		return nil, err
	}
	w.plan, w.uses = plan, uses
	k.workers = append(k.workers, w)
	go k.watch(w)
	k.log.Debug("worker started", "worker", w.number, "pid", w.process.Pid)
	return w, nil
}

// users returns as whom the workers run.
func (k *Keeper) users() (list []int) {
	for _, w := range k.workers {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", w.process.Pid))
		if err != nil {
			continue // it has ended
		}
		_, line, _ := strings.Cut(string(status), "\nUid:\t")
		fields := strings.Fields(line) // real, effective ...
		if len(fields) < 2 {
			continue
		}
		if uid, err := strconv.Atoi(fields[1]); err == nil && !slices.Contains(list, uid) {
			list = append(list, uid)
		}
	}
	return list
}

// ready is told that a worker serves.
func (k *Keeper) ready(w *worker) {
	if k.stopping {
		return // it was told
	}
	if k.change == nil || k.change.worker != w {
		k.broke(w, errors.New("ready out of turn"))
		return
	}
	c := k.change
	w.state, w.beat = Serving, time.Now()
	k.summary.Store(w.summary)
	before := k.plan
	k.plan = w.plan
	for _, old := range k.workers {
		if old != w && old.state == Serving {
			k.drain(old, old.plan.Drain, true)
		}
	}
	if k.failed {
		k.failed = false
		k.log.Info("workers live again", "worker", w.number)
	}
	k.closeUnused()
	if c.upgraded {
		k.log.Info("upgraded", "worker", w.number, "pid", w.process.Pid, "version", k.cfg.Version)
	} else if !c.first && !c.replace {
		k.log.Info("reloaded", "worker", w.number, "pid", w.process.Pid)
	}
	k.cfg.Told(Ready)
	debug.FreeOSMemory() // the process waits from now on
	var changed []string
	if !c.replace && !c.first {
		changed = w.plan.Changed(before)
	}
	k.concluded(role.Result{Changed: changed, Worker: w.process.Pid})
}

// changed is told that a worker has changed in place, or has not.
func (k *Keeper) changed(w *worker, r *role.Result) {
	c := k.change
	if k.stopping {
		return
	}
	if c == nil || c.asked != w {
		k.broke(w, errors.New("done out of turn"))
		return
	}
	if r.Error != "" {
		k.refused(r.Err())
		return
	}
	k.plan, w.plan = c.plan, c.plan
	k.cfg.Told(Ready)
	k.concluded(role.Result{Changed: r.Changed, Restart: r.Restart})
}

// refused ends a change that cannot be made. What is in force stays.
func (k *Keeper) refused(err error) {
	c := k.change
	result := role.Result{Error: err.Error(), Code: 2}
	var ended *role.EndError
	if errors.As(err, &ended) {
		result.Code, result.Detail = ended.Code, ended.Detail
	} else {
		result.Code, result.Detail = k.cfg.Explain(err)
	}
	k.closeUnused()
	switch {
	case c.first:
	case c.upgraded:
		k.goBack(err)
		return
	case c.replace:
		k.log.Error("worker not replaced", "err", err)
		k.mourn()
	default:
		k.log.Error("configuration unchanged", "err", err)
		k.cfg.Told(Ready)
		if w := k.current(); w != nil && c.binary == "" {
			w.conn.Send(&role.Message{Kind: role.KindRefused, Result: &role.Result{Error: result.Error, Code: result.Code}}) // an error ends it by itself
		}
	}
	k.concluded(result)
}

// concluded ends a change, and begins the next one.
func (k *Keeper) concluded(r role.Result) {
	c := k.change
	k.change = nil
	c.reply(r)
	if len(k.waiting) > 0 && k.change == nil {
		next := k.waiting[0]
		k.waiting = k.waiting[1:]
		k.begin(next)
	}
}

// closeUnused closes what neither the plan in force nor a worker has a use for, and stops
// what only draining workers use.
func (k *Keeper) closeUnused() {
	serving := k.current()
	wanted := func(key string) bool {
		if serving != nil && serving.uses[key] { // the plan may wait for a restart
			return true
		}
		plans := []*Plan{k.plan}
		if k.change != nil && k.change.worker != nil && k.change.worker.state == Starting {
			plans = append(plans, k.change.plan)
		}
		return slices.ContainsFunc(plans, func(p *Plan) bool {
			return p != nil && slices.ContainsFunc(p.Resources, func(r Resource) bool { return r.Key == key })
		})
	}
	var keep []*held
	for _, h := range k.held {
		if !h.stopped && wanted(h.Key) {
			keep = append(keep, h)
			continue
		}
		k.complain("stop", h, h.retire())
		if slices.ContainsFunc(k.workers, func(w *worker) bool { return w.uses[h.Key] }) {
			keep = append(keep, h)
			continue
		}
		k.complain("close", h, h.holding.Close())
	}
	k.held = keep
}
