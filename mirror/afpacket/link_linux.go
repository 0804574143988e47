package afpacket

import (
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// pollInterval bounds how late a change is seen that the kernel announces late
// (carrier, up to a second) or not at all (device counters).
const pollInterval = 200 * time.Millisecond

// maxMTU is the longest IPv4 packet; the loopback interface claims one octet more.
const maxMTU = 65535

// state is what an interface can do for the sink.
type state string

const (
	up          state = "up"
	missing     state = "missing"
	down        state = "down"
	noCarrier   state = "no carrier"
	notEthernet state = "not ethernet"
)

// link is the interface at one moment. It is not changed once published.
type link struct {
	state state
	index int // of the interface; 0 while missing
	mtu   int // octets; the last one known while missing
}

// watcher keeps link current, from link events and a poll, in one goroutine.
// Both netlink sockets belong to the network namespace that watch was called
// in, whatever thread the goroutine runs on.
type watcher struct {
	name    string
	log     *slog.Logger
	link    atomic.Pointer[link] // never nil
	dropped *atomic.Uint64       // tx_dropped of the device, summed over re-creations

	lastDropped uint64 // tx_dropped of the present device when last read
	events      *nl.NetlinkSocket
	requests    *netlink.Handle
	stop        chan struct{} // closed by close
	done        chan struct{} // closed by run
}

// watch looks at the interface once and starts to follow it. The caller must
// close the watcher.
func watch(name string, log *slog.Logger, dropped *atomic.Uint64) (*watcher, error) {
	events, err := nl.Subscribe(unix.NETLINK_ROUTE, unix.RTNLGRP_LINK)
	if err != nil {
		return nil, err
	}
	timeout := unix.NsecToTimeval(pollInterval.Nanoseconds())
	if err := events.SetReceiveTimeout(&timeout); err != nil {
		events.Close()
		return nil, err
	}
	requests, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		events.Close()
		return nil, err
	}
	w := &watcher{
		name:     name,
		log:      log,
		dropped:  dropped,
		events:   events,
		requests: requests,
		stop:     make(chan struct{}),
		done:     make(chan struct{}),
	}
	w.link.Store(&link{mtu: defaultMTU})
	w.refresh()
	go w.run()
	return w, nil
}

// close ends the goroutine and waits for it.
func (w *watcher) close() {
	close(w.stop)
	w.events.Close()
	<-w.done
	w.requests.Close()
}

func (w *watcher) run() {
	defer close(w.done)
	for {
		_, _, err := w.events.Receive()
		if err != nil && !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.ENOBUFS) {
			select { // never spin on a socket that is broken
			case <-w.stop:
			case <-time.After(pollInterval):
			}
		}
		select {
		case <-w.stop:
			return
		default:
		}
		w.refresh()
	}
}

// refresh asks for the interface by name, so that a new one with the old name
// is found, and publishes what changed. A request that fails for another
// reason than a missing interface changes nothing.
func (w *watcher) refresh() {
	old := w.link.Load()
	now := link{state: missing, mtu: old.mtu}
	found, err := w.requests.LinkByName(w.name)
	if err == nil {
		attrs := found.Attrs()
		now = link{state: stateOf(attrs), index: attrs.Index, mtu: min(attrs.MTU, maxMTU)}
		w.countDropped(attrs, old.index)
	} else if !errors.As(err, new(netlink.LinkNotFoundError)) {
		w.log.Debug("interface state unknown", "iface", w.name, "err", err)
		return
	}
	if now == *old {
		return
	}
	w.link.Store(&now)
	switch {
	case now.state == old.state:
		w.log.Info("mirror interface changed", "iface", w.name, "index", now.index, "mtu", now.mtu)
	case now.state == up:
		w.log.Info("mirror interface usable", "iface", w.name, "index", now.index, "mtu", now.mtu)
	default:
		w.log.Warn("mirror interface not usable", "iface", w.name, "state", string(now.state))
	}
}

func (w *watcher) countDropped(attrs *netlink.LinkAttrs, oldIndex int) {
	if attrs.Statistics == nil {
		return
	}
	n := attrs.Statistics.TxDropped
	if attrs.Index == oldIndex && n > w.lastDropped {
		w.dropped.Add(n - w.lastDropped)
	}
	w.lastDropped = n
}

// stateOf judges an interface by IFF_UP, IFF_LOWER_UP (the carrier now) and
// IFF_RUNNING (the transmit queue was opened after the carrier came).
func stateOf(attrs *netlink.LinkAttrs) state {
	const carrier = unix.IFF_LOWER_UP | unix.IFF_RUNNING
	switch {
	case attrs.EncapType != "ether" && attrs.EncapType != "loopback":
		return notEthernet
	case attrs.RawFlags&unix.IFF_UP == 0:
		return down
	case attrs.RawFlags&carrier != carrier:
		return noCarrier
	}
	return up
}
