package port

import (
	"maps"
	"sync/atomic"

	"github.com/clearspan/clearspan/mirror"
	"github.com/clearspan/clearspan/mirror/afpacket"
	"github.com/clearspan/clearspan/mirror/xdp"
)

// turn is a sink for an interface whose queue another process has, such as the one before
// this that ends its sessions. Frames go by a packet socket until the queue is free.
type turn struct {
	cfg     Config
	queue   *xdp.Sink
	interim *afpacket.Sink // stays open: a Send may be on its way to it
	moved   atomic.Bool
}

// openTurn opens both sockets. reasons are those against the queue, and what costs less.
func openTurn(cfg Config, reasons ...error) (Sink, Method, error) {
	interim, err := open(cfg, SendMMsg)
	if err != nil {
		return nil, "", err
	}
	queue, err := xdp.Open(xdp.Config{Interface: cfg.Interface, Full: cfg.Full, Patience: cfg.Patience, MTU: cfg.MTU, Logger: cfg.Logger, Await: true})
	if err != nil {
		interim.Close()
		return nil, "", err
	}
	logMethod(cfg, SendMMsg, reasons)
	return &turn{cfg: cfg, queue: queue, interim: interim.(*afpacket.Sink)}, SendMMsg, nil
}

// Send implements [mirror.Sink].
func (t *turn) Send(frames []mirror.Frame) (int, error) {
	if t.moved.Load() {
		return t.queue.Send(frames)
	}
	if !t.queue.Bound() {
		return t.interim.Send(frames)
	}
	if t.moved.CompareAndSwap(false, true) {
		logMethod(t.cfg, XDP, nil)
	}
	return t.queue.Send(frames)
}

// MTU implements [mirror.Sink]: what fits either way.
func (t *turn) MTU() int { return min(t.queue.MTU(), t.interim.MTU()) }

// Idle implements [mirror.Sink].
func (t *turn) Idle() bool { return false }

// Stats returns the totals of both sockets.
func (t *turn) Stats() afpacket.Stats {
	s, before := t.queue.Stats(), t.interim.Stats()
	s.Frames += before.Frames
	s.Octets += before.Octets
	s.Queued += before.Queued
	s.Up = s.Up || before.Up && !t.moved.Load()
	lost := maps.Clone(before.Lost)
	for reason, n := range s.Lost {
		if lost == nil {
			lost = make(map[string]uint64)
		}
		lost[reason] += n
	}
	s.Lost = lost
	return s
}

// Close ends both sockets. It returns nil.
func (t *turn) Close() error {
	t.queue.Close()
	return t.interim.Close()
}
