package wire_test

import (
	"errors"
	"io/fs"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/clearspan/clearspan/appliance/intake"
	"github.com/clearspan/clearspan/appliance/intake/wire"
	"github.com/clearspan/clearspan/hack/tempo"
)

// TestOwnMounts: in a mount namespace of its own a wire that is to pass traffic after a
// kill does not start, unless that is accepted. A wire that was killed there can be
// removed, and started again when its legs are back.
func TestOwnMounts(t *testing.T) {
	t.Parallel()
	refused := newBench(t)
	p := refused.launch(settings{Own: true})
	select {
	case <-p.Done():
	case <-time.After(30 * time.Second):
		t.Fatal("a wire is started whose cable a kill would cut")
	}
	if said := p.stderr.String(); !strings.Contains(said, "down_unsafe: true") || !strings.Contains(said, "mount namespace") {
		t.Errorf("said %q", said)
	}
	if _, err := wire.Inspect(refused.name); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("something is left of it: %v", err)
	}
	for name, s := range map[string]settings{"unsafe": {Own: true, Unsafe: true}, "block": {Own: true, Down: intake.DownBlock}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.echo("tcp", ":443")
			p := b.start(s)
			b.await(true)
			if err := b.once(); err != nil {
				t.Error(err)
			}
			if !strings.Contains(p.stderr.String(), "cuts the cable") {
				t.Error("no warning")
			}
			p.Signal(syscall.SIGKILL)
			<-p.Done()
			tempo.Until(t, "the cable is cut", func() bool { return b.once() != nil })
			if name == "unsafe" {
				tempo.Until(t, "the legs are plugged in again", func() bool { return b.Plug() == nil })
				p := b.start(settings{})
				b.await(true)
				if err := b.once(); err != nil {
					t.Errorf("in the mount namespace of PID 1: %v", err)
				}
				p.stop()
			}
			b.remove()
			if _, err := wire.Inspect(b.name); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("after the removal of what was killed: %v", err)
			}
		})
	}
}
