package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/clearspan/clearspan/appliance/recorder/source"
	"github.com/clearspan/clearspan/appliance/recorder/volume"
	"github.com/clearspan/clearspan/hack/netlab"
	"github.com/clearspan/clearspan/mirror"
	"github.com/clearspan/clearspan/mirror/afpacket"
)

// CaptureOptions describes a run of [Capture].
type CaptureOptions struct {
	Out     io.Writer
	Binary  string   // of clearspan
	Self    string   // this program, for [CaptureOnly]
	Only    []string // programs that take part; none: all
	Results string   // directory for the figures; "": none
	Rounds  int      // 0: 3
}

// load is what is sent: octets a second, in frames of 1,514 octets, or in those of 64 KiB that
// a kernel hands from one port to another.
type load struct {
	Gbit  float64
	Large bool
}

var loads = []load{{0.5, false}, {1.1, false}, {2, false}, {2, true}, {4, true}, {8, true}}

// captureFor is how long each load lasts.
const captureFor = 3 * time.Second

// Capture measures what it costs to write frames of a port to a disk, and how many are lost, at
// growing rates: clearspan's recorder, without and with its analysis, tcpdump and dumpcap. All
// have 256 MiB for frames that wait. Programs that are not installed are left out.
func Capture(ctx context.Context, o CaptureOptions) (err error) {
	if o.Rounds == 0 {
		o.Rounds = 3
	}
	l, err := netlab.New(prefix + "cap")
	if err != nil {
		return fmt.Errorf("build network: %w", err)
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	box, recorder, err := emissionNetwork(l)
	if err != nil {
		return fmt.Errorf("build network: %w", err)
	}
	report := newCaptureReport(o)
	for round := range o.Rounds {
		for _, at := range loads {
			for _, p := range report.programs {
				if err := ctx.Err(); err != nil {
					return err
				}
				m, err := p.measure(ctx, box, recorder, at)
				if err != nil {
					return fmt.Errorf("%s: %w", p.name, err)
				}
				report.add(p.name, at, m)
				fmt.Fprintf(o.Out, "round %d  %-28s %4.1f Gbit/s, large %-5t: %5.2f s/GiB, %5.2f %% lost, done %.1f s after\n", round+1, p.name, m.Gbit, at.Large, m.PerGiB, m.Lost, m.Behind)
			}
		}
	}
	return report.write(o)
}

// taken is one measurement.
type taken struct {
	Gbit   float64 `json:"gbit"`   // that were sent
	PerGiB float64 `json:"perGiB"` // CPU seconds of the program
	Lost   float64 `json:"lost"`   // percent of the frames
	Behind float64 `json:"behind"` // seconds from the last frame until all were done with
}

// measure sends a load to a program.
func (p *capturer) measure(ctx context.Context, box, recorder *netlab.Namespace, at load) (m taken, err error) {
	dir, err := os.MkdirTemp("", "clearspan-capture-")
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	cmd := exec.CommandContext(ctx, p.program, p.arguments(dir)...)
	var said bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &said, &said
	if err := recorder.Do(cmd.Start); err != nil {
		return m, err
	}
	time.Sleep(2 * time.Second) // all have mapped their rings then
	var octets uint64
	began := time.Now()
	if err := box.Do(func() (err error) { octets, err = sendLoad(ctx, at); return err }); err != nil {
		cmd.Process.Kill()
		cmd.Wait()
		return m, err
	}
	m.Gbit = float64(octets) * 8 / 1e9 / time.Since(began).Seconds()
	ended := time.Now()
	if p.done != nil {
		for end := time.Now().Add(2 * time.Minute); !p.done(dir) && time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		}
	} else {
		time.Sleep(time.Second)
	}
	m.Behind = time.Since(ended).Seconds()
	cmd.Process.Signal(syscall.SIGINT)
	if err := cmd.Wait(); err != nil {
		return m, fmt.Errorf("%w: %s", err, said.String())
	}
	cpu := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	m.PerGiB = cpu.Seconds() / (float64(octets) / (1 << 30))
	stored, dropped, err := p.counts(dir, said.String())
	if err != nil {
		return m, fmt.Errorf("%w: %s", err, said.String())
	}
	m.Lost = 100 * float64(dropped) / float64(max(stored+dropped, 1))
	return m, nil
}

// sendLoad sends a load from this namespace, as the octets of 32 sessions.
func sendLoad(ctx context.Context, at load) (octets uint64, err error) {
	sink, err := afpacket.Open(afpacket.Config{Interface: senderInterface, Full: mirror.Block, GSO: at.Large})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, sink.Close()) }()
	var list []*mirror.Conversation
	for i := range 32 {
		f := mirror.Flow{Client: netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), uint16(40000+i)), Origin: netip.MustParseAddrPort("198.51.100.2:8000")}
		list = append(list, mirror.Open(sink, f, mirror.Options{Ports: mirror.KeepPorts}))
	}
	// Something to read: an answer whose body does not end.
	list0 := []byte("HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: 1099511627776\r\n\r\n")
	for i, c := range list {
		c.Data(mirror.ClientToOrigin, fmt.Appendf(nil, "GET /%d HTTP/1.1\r\nHost: load.test\r\n\r\n", i))
		c.Data(mirror.OriginToClient, list0)
	}
	chunk := bytes.Repeat([]byte("load"), 16<<10)
	perSecond := at.Gbit * 1e9 / 8
	for began, i := time.Now(), 0; time.Since(began) < captureFor && ctx.Err() == nil; i++ {
		if due := time.Duration(float64(octets) / perSecond * float64(time.Second)); due > time.Since(began) {
			time.Sleep(due - time.Since(began))
		}
		list[i%len(list)].Data(mirror.OriginToClient, chunk)
		octets += uint64(len(chunk))
	}
	for _, c := range list {
		c.Close()
	}
	return octets, ctx.Err()
}

// CaptureOnly does what a recorder does with the frames of an interface before anything is
// analysed: volumes, with their hashes and indexes. It ends with SIGINT.
func CaptureOnly(name, dir string, out io.Writer) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT)
	defer stop()
	s, err := source.Interface(source.Port{Name: name, Ring: captureRing})
	if err != nil {
		return err
	}
	defer s.Close()
	w, err := volume.Open(filepath.Join(dir, "packets"), volume.Options{})
	if err != nil {
		return err
	}
	go func() {
		for ctx.Err() == nil {
			time.Sleep(200 * time.Millisecond)
			w.Flush()
		}
	}()
	err = errors.Join(s.Run(ctx, w.Add), w.Close())
	c := w.Counts()
	return errors.Join(err, json.NewEncoder(out).Encode(captured{Stored: c.Stored, Refused: c.Dropped, Dropped: s.Dropped()}))
}
