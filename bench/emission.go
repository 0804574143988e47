package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/netlab"
	"github.com/clearspan/clearspan/mirror"
	"github.com/clearspan/clearspan/mirror/port"
)

// EmissionOptions describes a run of [Emission].
type EmissionOptions struct {
	Out     io.Writer // progress and the table
	Results string    // directory for the JSON file; "" writes none
	Rounds  int       // default 5
	Size    int64     // octets of cleartext a measurement, default 1 GiB
	Chunk   int       // octets handed over at once, default 64 KiB: what the relay does
}

const (
	senderInterface   = "mirror0"
	recorderInterface = "rec0"
	segmentOctets     = 1460 // what figures are per
)

// Emission measures what it costs to show cleartext on a mirror port, by every
// method, without and with a recorder at the far end: from the call that hands
// a chunk over to the frames at the far end of a veth pair.
//
// Charged is the thread that sends. The kernel carries a frame through a veth
// pair, and to the recorder's socket, in a soft interrupt that runs on that very
// thread; where it is put off to ksoftirqd instead, its time is added. The
// recorder, tcpdump, reads from its ring in a process of its own, not charged.
func Emission(ctx context.Context, o EmissionOptions) (err error) {
	if o.Rounds <= 0 {
		o.Rounds = 5
	}
	if o.Size <= 0 {
		o.Size = 1 << 30
	}
	if o.Chunk <= 0 {
		o.Chunk = 64 << 10
	}
	l, err := netlab.New(prefix + "em")
	if err != nil {
		return fmt.Errorf("build network: %w", err)
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	box, recorder, err := emissionNetwork(l)
	if err != nil {
		return fmt.Errorf("build network: %w", err)
	}
	dir, err := l.Dir("recorder")
	if err != nil {
		return err
	}
	file := filepath.Join(dir, "null.pcap") // the cost of a disk is not the question
	if err := os.Symlink(os.DevNull, file); err != nil {
		return err
	}
	report := newEmissionReport(o)
	for round := range o.Rounds {
		for _, recorded := range []bool{false, true} {
			for _, method := range []port.Method{port.SendMMsg, port.GSO, port.XDP} {
				if err := ctx.Err(); err != nil {
					return err
				}
				c := emission{box: box, method: method, options: o, file: file}
				if recorded {
					c.recorder = recorder
				}
				if err := c.run(); err != nil {
					return fmt.Errorf("measure %s: %w", method, err)
				}
				report.add(method, recorded, c)
				fmt.Fprintf(o.Out, "round %d  %-9s recorder %-5t %6.0f ns/segment  ksoftirqd %3.0f  recorder lost %d of %d\n",
					round+1, method, recorded, c.perSegment(c.charged), c.perSegment(c.deferred), c.missed, c.frames)
			}
		}
	}
	return report.write(o)
}

// emissionNetwork joins the sender's namespace to the recorder's.
func emissionNetwork(l *netlab.Lab) (box, recorder *netlab.Namespace, err error) {
	if box, err = l.Namespace("box"); err != nil {
		return nil, nil, err
	}
	if recorder, err = l.Namespace("recorder"); err != nil {
		return nil, nil, err
	}
	return box, recorder, errors.Join(
		l.Link(netlab.End{Namespace: box, Name: senderInterface, Silent: true},
			netlab.End{Namespace: recorder, Name: recorderInterface, Silent: true}, netlab.LinkOptions{}),
		recorder.SetOffload(recorderInterface, false, netlab.GRO))
}

// emission is one measurement.
type emission struct {
	box      *netlab.Namespace
	recorder *netlab.Namespace // nil: nobody records
	file     string            // that the recorder writes
	method   port.Method
	options  EmissionOptions

	charged  time.Duration // of the sending thread, and of ksoftirqd
	deferred time.Duration // the part of ksoftirqd
	frames   uint64        // delivered
	missed   uint64        // of these by the recorder
}

// perSegment returns d per 1460 octets of cleartext, in nanoseconds.
func (e *emission) perSegment(d time.Duration) float64 {
	return float64(d.Nanoseconds()) * segmentOctets / float64(e.options.Size)
}

func (e *emission) run() error {
	if e.recorder == nil {
		return e.box.Do(e.send)
	}
	capture, err := lab.StartCapture(e.recorder, recorderInterface, e.file)
	if err != nil {
		return err
	}
	err = e.box.Do(e.send)
	// That the recorder lost frames is not the sender's fault, and shown.
	counts, stopErr := capture.Stop()
	if e.missed = counts.Dropped; stopErr != nil && e.missed > 0 {
		stopErr = nil
	}
	return errors.Join(err, stopErr)
}

// send shows one session. It runs on a thread of its own.
func (e *emission) send() error {
	s, _, err := port.Open(port.Config{Interface: senderInterface, Method: e.method, Full: mirror.Block})
	if err != nil {
		return err
	}
	defer s.Close()
	chunk := make([]byte, e.options.Chunk)
	for i := range chunk {
		chunk[i] = byte(i * 7 >> 3)
	}
	c := mirror.Open(s, mirror.Flow{
		Client: netip.MustParseAddrPort("198.51.100.2:50000"), Origin: netip.MustParseAddrPort("192.0.2.10:80"),
	}, mirror.Options{})
	soft, err := softirqTime()
	if err != nil {
		return err
	}
	before, err := threadTime()
	if err != nil {
		return err
	}
	for left := e.options.Size; left > 0; left -= int64(len(chunk)) {
		c.Data(mirror.OriginToClient, chunk[:min(int64(len(chunk)), left)])
	}
	after, err := threadTime()
	if err != nil {
		return err
	}
	softAfter, err := softirqTime()
	if err != nil {
		return err
	}
	e.deferred = softAfter - soft
	e.charged = after - before + e.deferred
	a := c.Close()
	e.frames = a.Frames
	if a.Lost != nil {
		return fmt.Errorf("octets lost: %v", a.Lost)
	}
	return nil
}

// threadTime returns the CPU time of the calling thread.
func threadTime() (time.Duration, error) {
	return scheduled("/proc/self/task/" + strconv.Itoa(unix.Gettid()))
}

// softirqTime returns the CPU time of the kernel's threads for soft interrupts,
// whoever caused these.
func softirqTime() (total time.Duration, err error) {
	names, err := filepath.Glob("/proc/[0-9]*/comm")
	if err != nil {
		return 0, err
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil || !strings.HasPrefix(string(b), "ksoftirqd/") {
			continue
		}
		d, err := scheduled(filepath.Dir(name))
		if err != nil {
			return 0, err
		}
		total += d
	}
	return total, nil
}
