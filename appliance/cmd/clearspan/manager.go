package main

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/clearspan/clearspan/appliance/keeper"
	"github.com/clearspan/clearspan/appliance/notify"
)

// statusEvery is how often the service manager has the line of status again.
const statusEvery = 2 * time.Second

// closesWithin is what the end takes after the last session: captures and audit trail
// are written, kernel rules removed.
const closesWithin = 30 * time.Second

// manager tells the service manager of the process, if there is one, how the
// appliance is.
type manager struct {
	*notify.Manager
	log    *slog.Logger
	silent sync.Once
	served atomic.Bool
	end    chan struct{}
}

// openManager finds the service manager. Without one it tells nobody.
func openManager(log *slog.Logger) *manager {
	m := &manager{log: log, end: make(chan struct{})}
	var err error
	m.Manager, err = notify.Open()
	m.tell(err)
	return m
}

// tell logs the first error of messages. The service goes on.
func (m *manager) tell(err error) {
	if err != nil {
		m.silent.Do(func() { m.log.Warn("service manager not told", "err", err) })
	}
}

// state is what the manager is told of an appliance.
type state interface {
	Summary() string
	Alive() // returns while the appliance works
}

// keeping is the state that a keeper has.
type keeping interface {
	state
	Drain() time.Duration // how long sessions may go on at the end
}

// serves says that the appliance is ready, and from then on how it is, as long as the
// process lives.
func (m *manager) serves(a state) {
	if m.Manager == nil {
		return
	}
	m.tell(m.Ready(a.Summary()))
	m.served.Store(true)
	go m.follow(a)
}

// follow tells the summary where it changes, and gives signs of life as long as the
// appliance does.
func (m *manager) follow(a state) {
	status := time.NewTicker(statusEvery)
	defer status.Stop()
	var beat <-chan time.Time
	if every := m.Every(); every > 0 {
		t := time.NewTicker(every)
		defer t.Stop()
		beat = t.C
	}
	for last := ""; ; {
		select {
		case <-m.end:
			return
		case <-beat:
			a.Alive()
			m.tell(m.Alive())
		case <-status.C:
			if now := a.Summary(); now != last && m.served.Load() {
				m.tell(m.Status(now))
				last = now
			}
		}
	}
}

// told tells the manager what happens to the keeper.
func (m *manager) told(k keeping, e keeper.Event) {
	switch {
	case e == keeper.Stopping:
		m.stops(k.Drain())
	case e == keeper.Ready && !m.served.Load():
		m.serves(k)
	case e == keeper.Ready:
		m.tell(m.Ready(k.Summary()))
	case e == keeper.Changing && m.served.Load():
		m.tell(m.Reloading("reads its configuration"))
	case e == keeper.Failed:
		m.tell(m.Status("workers die: no connections are taken"))
	}
}

// stops says that the appliance ends, and may take as long as drain for it.
func (m *manager) stops(drain time.Duration) {
	m.served.Store(false)
	m.tell(m.Stopping(drain+closesWithin, "ends when its sessions have ended, within "+drain.String()))
}

// Close ends what tells the manager.
func (m *manager) Close() {
	close(m.end)
	m.Manager.Close()
}
