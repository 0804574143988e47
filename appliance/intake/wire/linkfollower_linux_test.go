package wire_test

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/clearspan/clearspan/appliance/intake/wire"
	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/netlab"
	"github.com/clearspan/clearspan/hack/tempo"
)

// plug puts a cable of an end in, or pulls it: the leg has a carrier while its peer is
// set up.
func (b *bench) plug(end *netlab.Namespace, in bool) {
	b.t.Helper()
	err := end.Do(func() error {
		link, err := netlink.LinkByName("eth0")
		if err != nil {
			return err
		}
		if in {
			return netlink.LinkSetUp(link)
		}
		return netlink.LinkSetDown(link)
	})
	if err != nil {
		b.t.Fatal(err)
	}
}

// carrier reports whether an interface is set up and has a carrier.
func (b *bench) carrier(ns *netlab.Namespace, name string) bool {
	b.t.Helper()
	var flags uint32
	err := ns.Do(func() error {
		link, err := netlink.LinkByName(name)
		if err == nil {
			flags = link.Attrs().RawFlags
		}
		return err
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return flags&unix.IFF_UP != 0 && flags&unix.IFF_LOWER_UP != 0
}

// cut pulls the cable of an end and waits until the other end has no carrier.
func (b *bench) cut(near, far *netlab.Namespace, held string) {
	b.t.Helper()
	start := time.Now()
	b.plug(near, false)
	tempo.Until(b.t, "the far end has no carrier", func() bool { return !b.carrier(far, "eth0") })
	b.t.Logf("%s goes down %v after the cable is pulled", held, time.Since(start))
	if s := b.status(); s.DownLeg != held || s.Link != "both" {
		b.t.Errorf("leg %q is down with link %q, want %s", s.DownLeg, s.Link, held)
	}
}

// routes lists the routes by which the wire's sockets send.
func (b *bench) routes() string {
	b.t.Helper()
	const list = "for t in 100 101 102; do ip route show table $t; ip -6 route show table $t; done"
	out, err := b.Box.Command(b.t.Context(), "ip", "netns", "exec", "clearspan-"+b.name, "sh", "-c", list).Output()
	if err != nil {
		b.t.Fatal(err)
	}
	return string(out)
}

// A leg goes down with the other one, and comes back with it, in both directions.
// Connections live through it.
func TestLinkBoth(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.echo("tcp", ":443")
	p := b.start(settings{Link: wire.Both})
	b.await(true)
	conn, err := b.Client.Dial("tcp", echoV4)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if got, err := line(conn, "before\n"); got != "before\n" {
		t.Fatalf("got %q, %v", got, err)
	}
	routes := b.routes()
	if strings.Count(routes, "\n") != 6 {
		t.Fatalf("routes:\n%s\nwant one for each leg, lo and family", routes)
	}
	for _, way := range []struct {
		near, far *netlab.Namespace
		held      string
	}{{b.Client, b.Origin, lab.WANInterface}, {b.Origin, b.Client, lab.LANInterface}} {
		b.cut(way.near, way.far, way.held)
		time.Sleep(100 * time.Millisecond)
		if s := b.status(); s.DownLeg != way.held {
			t.Errorf("leg %q is down after a while, want %s still", s.DownLeg, way.held)
		}
		back := time.Now()
		b.plug(way.near, true)
		tempo.Until(t, "the far end has its carrier", func() bool { return b.carrier(way.far, "eth0") })
		if took := time.Since(back); took < time.Second {
			t.Errorf("%s is set up %v after the cable is back, want 1s at least", way.held, took)
		}
		tempo.Until(t, "the record says so", func() bool { return b.status().DownLeg == "" })
		tempo.Until(t, "the routes are back", func() bool { return b.routes() == routes })
		if got, err := line(conn, "behind\n"); got != "behind\n" {
			t.Errorf("a connection that was open: %q, %v", got, err)
		}
		if err := b.once(); err != nil {
			t.Errorf("a new connection: %v", err)
		}
	}
	p.expect(3)
	p.stop()
}

// By default the other leg stays up.
func TestLinkEach(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.start(settings{})
	b.await(true)
	b.plug(b.Client, false)
	time.Sleep(300 * time.Millisecond)
	if s := b.status(); !b.carrier(b.Origin, "eth0") || s.DownLeg != "" || s.Link != "each" {
		t.Errorf("the far end has no carrier, status %+v", s)
	}
	p.stop()
}

// A cable that flaps keeps the other leg down.
func TestLinkFlaps(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.start(settings{Link: wire.Both})
	b.await(true)
	b.cut(b.Client, b.Origin, lab.WANInterface)
	for range 20 {
		b.plug(b.Client, true)
		b.plug(b.Client, false)
		time.Sleep(60 * time.Millisecond) // in which the wire looks once at least
		if b.carrier(b.Origin, "eth0") {
			t.Fatal("the far end has a carrier though the cable flaps")
		}
	}
	b.plug(b.Client, true)
	tempo.Until(t, "the far end has its carrier", func() bool { return b.carrier(b.Origin, "eth0") })
	p.stop()
}

// A leg that is taken out of the machine has no carrier, also if it was down.
func TestLinkGone(t *testing.T) {
	t.Parallel()
	for _, down := range []bool{false, true} {
		b := newBench(t)
		p := b.start(settings{Link: wire.Both})
		b.await(true)
		if down {
			b.cut(b.Client, b.Origin, lab.WANInterface)
		}
		err := b.Origin.Do(func() error {
			link, err := netlink.LinkByName("eth0")
			if err == nil {
				err = netlink.LinkDel(link) // and its peer, the leg
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if down {
			b.plug(b.Client, true)
			tempo.Until(t, "the first leg has its carrier", func() bool { return b.carrier(b.Client, "eth0") })
		}
		tempo.Until(t, "the first leg goes down", func() bool {
			return !b.carrier(b.Client, "eth0") && b.status().DownLeg == lab.LANInterface
		})
		p.stop()
		if s := b.status(); s.DownLeg != "" {
			t.Errorf("an end in order leaves a leg down: %+v", s)
		}
		b.remove()
	}
}

// What a killed process has left down, the next one keeps down while the cable is out,
// and sets up at its start if it is back. Remove gives the legs back as they were, and
// so does an end in order.
func TestLinkOfDeadProcess(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.echo("tcp", ":443")
	kill := func(p *daemonProcess) {
		t.Helper()
		p.Signal(syscall.SIGKILL)
		<-p.Done()
		if s := b.status(); b.carrier(b.Origin, "eth0") || s.DownLeg != lab.WANInterface || s.Running {
			t.Fatalf("after kill: %+v", s)
		}
	}
	start := func() *daemonProcess {
		t.Helper()
		return b.start(settings{Link: wire.Both})
	}
	p := start()
	b.cut(b.Client, b.Origin, lab.WANInterface)
	kill(p)
	p = start()
	if s := b.status(); b.carrier(b.Origin, "eth0") || s.DownLeg != lab.WANInterface {
		t.Errorf("a start while the cable is out sets the leg up: %+v", s)
	}
	kill(p)
	b.plug(b.Client, true)
	p = start()
	if s := b.status(); !b.carrier(b.Origin, "eth0") || s.DownLeg != "" {
		t.Errorf("a start does not set the leg up though the cable is back: %+v", s)
	}
	b.await(true)
	if err := b.once(); err != nil {
		t.Error(err)
	}
	p.expect(1)
	b.cut(b.Client, b.Origin, lab.WANInterface)
	p.stop()
	if s := b.status(); !b.carrier(b.Origin, "eth0") || s.DownLeg != "" {
		t.Errorf("an end in order leaves a leg down: %+v", s)
	}
	p = start()
	tempo.Until(t, "the leg is down again", func() bool { return !b.carrier(b.Origin, "eth0") })
	kill(p)
	p = b.start(settings{}) // link: each
	if s := b.status(); !b.carrier(b.Origin, "eth0") || s.DownLeg != "" {
		t.Errorf("a start without the key leaves a leg down: %+v", s)
	}
	p.stop()
	p = start()
	tempo.Until(t, "the leg is down once more", func() bool { return !b.carrier(b.Origin, "eth0") && b.status().DownLeg != "" })
	kill(p)
	b.remove()
	b.plug(b.Client, true)
	for _, leg := range []string{lab.LANInterface, lab.WANInterface} {
		tempo.Until(t, leg+" is given back as it was", func() bool { return b.carrier(b.Box, leg) })
	}
}
