package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"runtime/debug"
	"time"

	"github.com/cilium/ebpf/ringbuf"
	"golang.org/x/sys/unix"

	"github.com/clearspan/clearspan/appliance/intake"
)

// Limits of QUIC flows that wait for a verdict.
const (
	quicRefuseAfter     = 100 * time.Millisecond // then they are refused, where all are
	quicHoldLimit       = 3 * time.Second        // then what waits is dropped, where they may pass
	quicRefusalLifetime = 30 * time.Second       // how long the programs know a refusal
	quicFrames          = 16                     // frames of a flow
	quicOctets          = 64 << 10               // of these
	quicHeldFlows       = 4096                   // flows at once
	quicHeldOctets      = 16 << 20               // octets of all
)

// Frames that are read in a while at most, so that a flood leaves processors to TCP.
// What exceeds the ring then is counted by the programs.
const (
	quicBatchPeriod = 10 * time.Millisecond
	quicBatch       = 256
)

// quicGate asks for verdicts on QUIC flows. One goroutine runs everything here.
type quicGate struct {
	ring      *ringbuf.Reader
	program   *program
	injector  *injector
	judge     func(client, origin netip.AddrPort, payload []byte) intake.QUICVerdict
	refuseAll bool // all of them
	log       *slog.Logger
	counters  *flowCounters
	done      chan struct{} // closed by run

	held   map[kernelQuicKey]*heldQUIC
	octets int // of all
	swept  time.Time

	batch      int // frames since began
	batchStart time.Time
}

// heldQUIC is a flow without a verdict.
type heldQUIC struct {
	since  time.Time
	frames []initialFrame // where all flows are refused, the last one
	octets int
}

// openQUIC starts to judge QUIC flows, if somebody is there who does.
func (w *wire) openQUIC(o intake.Options) error {
	if o.QUIC == nil {
		return nil
	}
	ring, err := ringbuf.NewReader(w.program.Initials)
	if err != nil {
		return fmt.Errorf("open ring of QUIC datagrams: %w", err)
	}
	injector, err := openInjector(w.namespace, w.indexes)
	if err != nil {
		ring.Close()
		return err
	}
	log := o.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	w.quic = &quicGate{
		ring: ring, program: w.program, injector: injector, judge: o.QUIC, refuseAll: w.config.QUIC == intake.BlockQUIC,
		log: log.With("intake", w.name), counters: &w.counters, done: make(chan struct{}), held: make(map[kernelQuicKey]*heldQUIC),
	}
	go w.quic.run()
	return nil
}

// close ends the goroutine. What waits is dropped, and comes again.
func (g *quicGate) close() error {
	err := g.ring.Close()
	<-g.done
	return errors.Join(err, g.injector.close())
}

// run takes frames from the ring until that is closed.
func (g *quicGate) run() {
	defer close(g.done)
	var record ringbuf.Record
	for {
		wait := time.Second
		if len(g.held) > 0 {
			wait = 10 * time.Millisecond
		}
		g.ring.SetDeadline(time.Now().Add(wait))
		err := g.ring.ReadInto(&record)
		switch {
		case err == nil:
			g.handleFrame(record.RawSample)
		case errors.Is(err, os.ErrDeadlineExceeded):
		case errors.Is(err, ringbuf.ErrClosed):
			return
		default:
			g.log.Error("QUIC of a wire is not judged any more", "err", err)
			return
		}
		g.sweep()
		g.pace()
	}
}

// pace sleeps if too many frames came in a while.
func (g *quicGate) pace() {
	now := time.Now()
	if passed := now.Sub(g.batchStart); passed >= quicBatchPeriod {
		g.batch, g.batchStart = 0, now
	} else if g.batch++; g.batch >= quicBatch {
		time.Sleep(quicBatchPeriod - passed)
	}
}

// handleFrame asks for a verdict on a frame from the ring, and has it done.
func (g *quicGate) handleFrame(b []byte) {
	e, ok := readInitial(b)
	if !ok {
		g.counters.failed.Add(1)
		return
	}
	verdict := intake.QUICUndecided
	all := e.datagrams()
	for i := range all {
		if v := g.callJudge(e.key.Tuple.client(), e.key.Tuple.origin(), all[i].payload()); verdict != intake.QUICRefuse {
			verdict = v
		}
	}
	switch {
	case len(all) == 0: // damaged: nobody would take it
	case verdict == intake.QUICRefuse, g.refuseAll && verdict == intake.QUICPass:
		g.hold(&e, true)
		g.refuseFlow(e.key)
	case verdict == intake.QUICPass:
		g.hold(&e, true)
		g.pass(e.key)
	default:
		g.hold(&e, false)
	}
}

// callJudge calls the hook. A panic there concerns one flow, which is refused.
func (g *quicGate) callJudge(client, origin netip.AddrPort, payload []byte) (v intake.QUICVerdict) {
	defer func() {
		if r := recover(); r != nil {
			g.log.Error("decision panicked", "client", client, "origin", origin, "err", fmt.Sprint(r), "stack", string(debug.Stack()))
			v = intake.QUICRefuse
		}
	}()
	return g.judge(client, origin, payload)
}

// hold keeps a frame. What exceeds the limits is dropped, and comes again, unless it is
// decided about.
func (g *quicGate) hold(e *initialFrame, decided bool) {
	f := g.held[e.key]
	if f == nil {
		if !decided && len(g.held) >= quicHeldFlows {
			g.counters.failed.Add(1)
			return
		}
		f = &heldQUIC{since: time.Now()}
		g.held[e.key] = f
	}
	if g.refuseAll {
		g.octets -= f.octets
		f.frames, f.octets = f.frames[:0], 0
	}
	if n := len(e.octets); !decided && (len(f.frames) >= quicFrames || f.octets+n > quicOctets || g.octets+n > quicHeldOctets) {
		g.counters.failed.Add(1)
		return
	}
	f.frames = append(f.frames, *e)
	f.octets += len(e.octets)
	g.octets += len(e.octets)
}

// forget returns the frames of a flow, which waits no longer.
func (g *quicGate) forget(key kernelQuicKey) []initialFrame {
	f := g.held[key]
	if f == nil {
		return nil
	}
	delete(g.held, key)
	g.octets -= f.octets
	return f.frames
}

// pass has a flow pass, with what waited.
func (g *quicGate) pass(key kernelQuicKey) {
	g.set(key, kernelQuicStateQUIC_PASSED)
	for _, e := range g.forget(key) {
		g.reinject(&e, markJudged)
	}
}

// refuseFlow has the programs refuse a flow. They answer its last frame, which comes to
// them once more.
func (g *quicGate) refuseFlow(key kernelQuicKey) {
	g.set(key, kernelQuicStateQUIC_REFUSED)
	frames := g.forget(key)
	if len(frames) > 0 {
		g.reinject(&frames[len(frames)-1], markRefused)
	}
}

func (g *quicGate) set(key kernelQuicKey, state kernelQuicState) {
	if err := g.program.QuicFlows.Put(key, kernelQuicFlow{Since: monotonic(), State: state}); err != nil {
		g.counters.failed.Add(1)
		g.log.Debug("QUIC flow not noted", "err", err)
	}
}

// reinject returns the datagrams of a frame to where they came in: those that were
// judged, finished.
func (g *quicGate) reinject(e *initialFrame, mark int) {
	err := g.injector.setMark(mark)
	for _, d := range e.datagrams() {
		if err == nil {
			err = g.injector.sendDatagram(e, &d)
		}
	}
	if err != nil {
		g.counters.failed.Add(1) // its sender sends it again
		g.log.Debug("QUIC datagram not put back", "err", err)
	}
}

// sweep ends the wait of flows that nobody decided on in time.
func (g *quicGate) sweep() {
	now, limit := time.Now(), quicHoldLimit
	if g.refuseAll {
		limit = quicRefuseAfter
	}
	if len(g.held) == 0 || now.Sub(g.swept) < limit/10 {
		return
	}
	g.swept = now
	for key, f := range g.held {
		switch {
		case now.Sub(f.since) < limit:
		case g.refuseAll:
			g.refuseFlow(key)
		default:
			g.forget(key) // the next datagram finds a verdict
		}
	}
}

// sendDatagram writes a datagram of a frame to the leg where it came in.
func (r *injector) sendDatagram(e *initialFrame, d *datagram) error {
	b := append(r.buffer[:0], make([]byte, netHeader)...)
	b = append(b, d.octets[:12]...)
	if e.tagged {
		b = binary.BigEndian.AppendUint16(append(b, 0x81, 0x00), e.tci)
	}
	b = append(b, d.octets[12:]...)
	r.buffer = b
	if err := unix.Sendto(r.fd, b, 0, &unix.SockaddrLinklayer{Ifindex: r.indexes[e.key.Leg&1]}); err != nil {
		return fmt.Errorf("send datagram again: %w", err)
	}
	return nil
}
