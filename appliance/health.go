package appliance

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"github.com/clearspan/clearspan/appliance/admin"
	"github.com/clearspan/clearspan/appliance/authority"
	"github.com/clearspan/clearspan/appliance/health"
)

// worker is the name of the part that stands for this process, configFile that of the
// configuration.
const (
	worker     = "main"
	configFile = "file"
)

// condition is what is known of the state of the box beside its sessions.
type condition struct {
	health   *health.Board
	disks    map[string]*health.FileSystem // by name
	reloaded atomic.Pointer[reloadResult]
}

// reloadResult is what came of the last reload, or of the start.
type reloadResult struct {
	at  time.Time
	err error
}

// openHealth makes the board. The parts come onto it as they are opened.
func (a *Appliance) openHealth() error {
	a.health = health.New()
	a.setWorker(health.Reading{State: health.Down, Why: "starting", Quiet: true})
	a.health.Require(health.Worker, worker, true)
	a.noteReload(nil)
	for _, name := range a.cfg.Admin.ReadyMirrors {
		a.health.Require(health.Mirror, name, true)
	}
	for _, name := range a.cfg.Admin.ReadyServices {
		a.health.Require(health.Service, name, true)
	}
	return a.metrics.State(a.state)
}

// setWorker says whether sessions are accepted.
func (a *Appliance) setWorker(r health.Reading) { a.health.Set(health.Worker, worker, r) }

// Health returns the board with the state of all parts.
func (a *Appliance) Health() *health.Board { return a.health }

// watchParts puts the parts that are open onto the board.
func (a *Appliance) watchParts() error {
	a.feed.Watch(a.health)
	a.services.Watch(a.health)
	a.intakes.Watch(a.health)
	a.health.Add(health.Audit, "log", a.audit.Health)
	for _, name := range []string{authority.Trusted, authority.Untrusted} {
		a.health.Add(health.Authority, name, func() health.Reading {
			return a.engine.Load().authorities.Health(name, time.Now())
		})
	}
	a.watchCounts()
	return a.watchDisks()
}

// watchDisks opens the directories that clearspan writes to.
func (a *Appliance) watchDisks() error {
	directories := map[string]string{"state": a.cfg.State}
	if a.cfg.Audit.File != "stdout" {
		directories["audit"] = filepath.Dir(a.cfg.Audit.File)
	}
	for _, m := range a.cfg.Mirrors {
		if m.Files.Directory != "" {
			directories["mirror "+m.Name] = m.Files.Directory
		}
	}
	a.disks = make(map[string]*health.FileSystem, len(directories))
	ctx, stop := context.WithCancel(context.Background())
	a.closers.push("disks", func() error { stop(); return nil })
	for _, name := range slices.Sorted(maps.Keys(directories)) {
		disk, err := health.OpenFileSystem(directories[name])
		if err != nil {
			return err
		}
		go disk.Run(ctx)
		a.disks[name] = disk
		a.health.Add(health.Disk, name, disk.Probe)
	}
	return nil
}

// noteReload notes what came of a reload.
func (a *Appliance) noteReload(err error) {
	a.reloaded.Store(&reloadResult{time.Now(), err})
	r := health.Reading{}
	if err != nil {
		r = health.Reading{State: health.Degraded, Why: fmt.Sprintf("the last reload failed, the configuration of before is in force: %v", err)}
	}
	a.health.Set(health.Config, configFile, r)
}

// state is what metrics of state show now.
func (a *Appliance) state() admin.State {
	last := a.reloaded.Load()
	s := admin.State{
		Health: a.health.Health(), Disks: make(map[string]uint64), Reloaded: last.at, Unchanged: last.err != nil,
		Workers: a.workers(),
	}
	if a.feed != nil {
		s.Mirrors = a.feed.States()
	}
	if g := a.engine.Load(); g != nil {
		s.Authorities = g.authorities.Expiry()
	}
	for name, disk := range a.disks {
		s.Disks[name] = disk.Free()
	}
	return s
}

// authorityReminder is how often the log tells of an authority that ends soon.
const authorityReminder = 24 * time.Hour

// remindOfAuthorities tells the log of authorities that end soon, at once and every day.
func (a *Appliance) remindOfAuthorities(ctx context.Context) {
	tick := time.NewTicker(authorityReminder)
	defer tick.Stop()
	for {
		a.engine.Load().authorities.Remind(time.Now(), a.log)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
