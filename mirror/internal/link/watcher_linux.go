package link

import (
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// pollInterval bounds how late a change is seen that the kernel announces late
// (carrier, up to a second) or not at all (device counters).
const pollInterval = 200 * time.Millisecond

const (
	// DefaultMTU stands for that of an interface that was never seen, in octets.
	DefaultMTU = 1500
	// maxMTU is the longest IPv4 packet; the loopback interface claims one octet more.
	maxMTU = 65535
)

// State is what an interface can do for a sink.
type State string

const (
	Up          State = "up"
	Missing     State = "missing"
	Down        State = "down"
	NoCarrier   State = "no carrier"
	NotEthernet State = "not ethernet"
)

// Link is the interface at one moment. It is not changed once published.
type Link struct {
	State State
	Index int // of the interface; 0 while missing
	MTU   int // octets; the last one known while missing
}

// Counters are totals of the device, whoever sent, since it was first seen;
// they go on over re-creations.
type Counters struct {
	Packets uint64 // tx_packets
	Dropped uint64 // tx_dropped
}

// Watcher keeps a Link current, from link events and a poll, in one goroutine.
// Both netlink sockets belong to the network namespace that Watch was called
// in, whatever thread the goroutine runs on. Its methods are safe for concurrent
// use.
type Watcher struct {
	name    string
	log     *slog.Logger
	link    atomic.Pointer[Link] // never nil
	prepare func(*Watcher, Link) // may be nil

	mu       sync.Mutex // guards what follows
	counters Counters
	last     Counters // of the present device when last read
	index    int      // of the device that last belongs to
	devices  int      // how many there were under the name

	events   *nl.NetlinkSocket
	requests *netlink.Handle
	close    sync.Once
	stop     chan struct{} // closed by Close
	done     chan struct{} // closed by run
}

// Watch looks at the interface once and starts to follow it. prepare, if not
// nil, is called before a Link is published, and with every poll, never
// concurrently. The caller must close the watcher.
func Watch(name string, log *slog.Logger, prepare func(*Watcher, Link)) (*Watcher, error) {
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
	w := &Watcher{
		name:     name,
		log:      log,
		prepare:  prepare,
		events:   events,
		requests: requests,
		stop:     make(chan struct{}),
		done:     make(chan struct{}),
	}
	w.link.Store(&Link{MTU: DefaultMTU})
	w.refresh()
	go w.run()
	return w, nil
}

// Close ends the goroutine and waits for it. The last Link stays. Calling it
// again does nothing.
func (w *Watcher) Close() {
	w.close.Do(func() {
		close(w.stop)
		w.events.Close()
		<-w.done
		w.requests.Close()
	})
}

// Link returns the interface as last seen.
func (w *Watcher) Link() *Link { return w.link.Load() }

// Counters returns the totals as last seen, up to 200 ms ago.
func (w *Watcher) Counters() Counters {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.counters
}

// Read asks the device for its counters now and returns the totals. It fails
// while the interface is missing and after Close.
func (w *Watcher) Read() (Counters, error) {
	found, err := w.requests.LinkByName(w.name)
	if err != nil {
		return Counters{}, err
	}
	return w.count(found.Attrs()), nil
}

// Reconcile compares what a sink has counted as taken, since the counters were
// base, with what the device sent: at the end a frame is one or the other. It
// waits a moment for frames that are queued, and logs what is missing. Where the
// interface was re-created nothing can be said.
func (w *Watcher) Reconcile(taken uint64, base Counters) {
	var missing uint64
	for range 20 {
		now, err := w.Read()
		w.mu.Lock()
		steady := w.devices == 1
		w.mu.Unlock()
		if err != nil || !steady {
			return
		}
		if missing = advance(now.Packets-base.Packets, taken); missing == 0 {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	w.log.Warn("mirror interface took frames that it did not send", "iface", w.name, "frames", missing)
}

// Queued reports whether frames wait in a queue of the kernel before they reach
// the device (whether it has a queueing discipline).
func (w *Watcher) Queued() bool {
	found, err := w.requests.LinkByName(w.name)
	if err != nil {
		return false
	}
	qdiscs, err := w.requests.QdiscList(found)
	if err != nil {
		return true
	}
	for _, q := range qdiscs {
		if q.Type() != "noqueue" {
			return true
		}
	}
	return false
}

func (w *Watcher) run() {
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
func (w *Watcher) refresh() {
	old := w.link.Load()
	now := Link{State: Missing, MTU: old.MTU}
	found, err := w.requests.LinkByName(w.name)
	if err == nil {
		attrs := found.Attrs()
		now = Link{State: stateOf(attrs), Index: attrs.Index, MTU: min(attrs.MTU, maxMTU)}
		w.count(attrs)
	} else if !errors.As(err, new(netlink.LinkNotFoundError)) {
		w.log.Debug("interface state unknown", "iface", w.name, "err", err)
		return
	}
	if w.prepare != nil {
		w.prepare(w, now)
	}
	if now == *old {
		return
	}
	w.link.Store(&now)
	switch {
	case now.State == old.State:
		w.log.Info("mirror interface changed", "iface", w.name, "index", now.Index, "mtu", now.MTU)
	case now.State == Up:
		w.log.Info("mirror interface usable", "iface", w.name, "index", now.Index, "mtu", now.MTU)
	default:
		w.log.Warn("mirror interface not usable", "iface", w.name, "state", string(now.State))
	}
}

// count adds what the device's counters advanced by, and returns the totals. A
// device that was not seen before begins at what it shows.
func (w *Watcher) count(attrs *netlink.LinkAttrs) Counters {
	w.mu.Lock()
	defer w.mu.Unlock()
	if attrs.Statistics == nil {
		return w.counters
	}
	now := Counters{Packets: attrs.Statistics.TxPackets, Dropped: attrs.Statistics.TxDropped}
	if attrs.Index == w.index {
		w.counters.Packets += advance(w.last.Packets, now.Packets)
		w.counters.Dropped += advance(w.last.Dropped, now.Dropped)
	}
	if attrs.Index != w.index {
		w.devices++
	}
	w.last, w.index = now, attrs.Index
	return w.counters
}

func advance(from, to uint64) uint64 { return max(from, to) - from }

// stateOf judges an interface by IFF_UP, IFF_LOWER_UP (the carrier now) and
// IFF_RUNNING (the transmit queue was opened after the carrier came).
func stateOf(attrs *netlink.LinkAttrs) State {
	const carrier = unix.IFF_LOWER_UP | unix.IFF_RUNNING
	switch {
	case attrs.EncapType != "ether" && attrs.EncapType != "loopback":
		return NotEthernet
	case attrs.RawFlags&unix.IFF_UP == 0:
		return Down
	case attrs.RawFlags&carrier != carrier:
		return NoCarrier
	}
	return Up
}
