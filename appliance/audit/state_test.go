package audit

import (
	"syscall"
	"testing"
	"time"

	"github.com/clearspan/clearspan/appliance/health"
	"github.com/clearspan/clearspan/appliance/spool"
	"github.com/clearspan/clearspan/hack/needs"
)

func TestHealth(t *testing.T) {
	for _, tt := range []struct {
		name string
		of   spool.State
		want health.Reading
	}{
		{"idle", spool.State{}, health.Reading{}},
		{"busy", spool.State{Waiting: 3, Stalled: time.Second}, health.Reading{}},
		{"stalled", spool.State{Waiting: 3, Stalled: time.Minute}, health.Reading{State: health.Degraded, Why: "takes nothing, 3 entries wait"}},
		{"full", spool.State{Waiting: 3, Full: true}, health.Reading{State: health.Down, Why: "takes nothing, entries are lost"}},
		{"disk full", spool.State{Waiting: 3, Err: syscall.ENOSPC}, health.Reading{State: health.Down, Why: "cannot be written, 3 entries wait: no space left on device"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := judge(tt.of); got != tt.want {
				t.Errorf("%+v, want %+v", got, tt.want)
			}
		})
	}
}

// A log whose disk has no room says so, and that it is over.
func TestHealthOfAFullDisk(t *testing.T) {
	l, err := Open(Options{File: "/dev/full"}, nil)
	if err != nil {
		needs.Missing(t, err)
	}
	defer l.Close()
	if r := l.Health(); r.State != health.OK {
		t.Errorf("%+v", r)
	}
	l.Write(Entry{})
	for deadline := time.Now().Add(10 * time.Second); l.Health().State != health.Down; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%+v", l.Health())
		}
	}
}
