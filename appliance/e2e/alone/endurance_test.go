package alone

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/netlab"
	"github.com/clearspan/clearspan/hack/scenetest"
	"github.com/clearspan/clearspan/hack/tempo"
)

// paced reads at most so many octets a second.
type paced struct {
	io.Reader
	rate, done int64 // rate 0 is no limit
	start      time.Time
}

func (p *paced) Read(b []byte) (int, error) {
	if p.rate > 0 {
		due := p.start.Add(time.Duration(p.done) * time.Second / time.Duration(p.rate))
		if early := time.Until(due); early > 10*time.Millisecond {
			time.Sleep(early)
		}
	}
	n, err := p.Reader.Read(b)
	p.done += int64(n)
	return n, err
}

// downloads fetches size octets in each of so many sessions, eight at a time, each
// at most at rate, octets a second, unless that is 0.
func (c *scene) downloads(sessions int, size, rate int64) {
	c.Helper()
	web := c.Nginx()
	c.Page(web, "large.bin", int(size))
	client := http.Client{Transport: &http.Transport{
		DialContext:       c.Client.DialContext,
		TLSClientConfig:   &tls.Config{RootCAs: c.Pool(c.CA), ServerName: webName},
		DisableKeepAlives: true, DisableCompression: true, // nginx compressing is most of the work otherwise
	}}
	var all sync.WaitGroup
	slots := make(chan struct{}, 8)
	for range sessions {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			r, err := client.Get("https://" + lab.OriginV4 + "/large.bin")
			if err != nil {
				c.Error(err)
				return
			}
			defer r.Body.Close()
			if n, err := io.Copy(io.Discard, &paced{Reader: r.Body, rate: rate, start: time.Now()}); err != nil || n != size {
				c.Errorf("%d octets of %d, %v", n, size, err)
			}
		})
	}
	all.Wait()
}

// delays exchanges a few octets on one session, again and again until ctx ends,
// and returns how long each took, sorted.
func (c *scene) delays(ctx context.Context) (times []time.Duration) {
	c.Helper()
	c.ListenTLS(floodPort, func(conn *tls.Conn, under net.Conn) {
		under.SetDeadline(time.Time{})
		io.Copy(conn, conn)
	})
	conn, err := c.Secret(floodPort, &tls.Config{RootCAs: c.Pool(c.CA), ServerName: webName})
	if err != nil {
		c.Error(err)
		return nil
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Minute))
	for ctx.Err() == nil {
		start := time.Now()
		if _, err := io.WriteString(conn, "to and fro\n"); err != nil {
			c.Error(err)
			return nil
		}
		if _, err := io.ReadFull(conn, make([]byte, len("to and fro\n"))); err != nil {
			c.Error(err)
			return nil
		}
		times = append(times, time.Since(start))
		time.Sleep(2 * time.Millisecond)
	}
	slices.Sort(times)
	return times
}

// TestRecorderMishaps has the recorder die and stand still, and the mirror port
// lose its link and change its MTU, under load. The accounts balance for every
// session, no session notices, and with full: block nothing is lost. With
// CLEARSPAN_ROUNDS of 5 it takes 10 GB in 200 sessions, and tells how users fare
// beside an undisturbed run.
func TestRecorderMishaps(t *testing.T) {
	sessions, size, rate := 24, int64(4<<20), int64(0)
	if tempo.Rounds() > 1 {
		// Processors that are not busy all the time: or the queue for them would be
		// all that users notice.
		sessions, size, rate = 200, int64(tempo.Rounds())*10<<20, 20<<20
	}
	for _, full := range []string{"drop", "block"} {
		for _, disturbed := range []bool{false, true} {
			if !disturbed && tempo.Rounds() == 1 {
				continue // to compare with, on a quiet machine
			}
			t.Run(fmt.Sprintf("%s, disturbed %t", full, disturbed), func(t *testing.T) {
				c := newScene(t, settings{Blind: true, Full: full})
				ctx, cancel := context.WithCancel(c.Ctx)
				var all sync.WaitGroup
				port, far := lab.MirrorInterface, lab.RecorderInterface
				if !disturbed {
					// The same befalls a port beside ours: what the disturber takes
					// of the processors is in both runs.
					port, far = "spare0", "spare1"
					if err := c.Lab.Link(netlab.End{Namespace: c.Box, Name: port, Silent: true},
						netlab.End{Namespace: c.Recorder, Name: far, Silent: true}, netlab.LinkOptions{}); err != nil {
						t.Fatal(err)
					}
					recorder := c.record(lab.RecorderInterface)
					defer func() { recorder.Signal(syscall.SIGKILL); <-recorder.Done() }()
				}
				all.Go(func() { c.mishaps(ctx, port, far) })
				var times []time.Duration
				all.Go(func() { times = c.delays(ctx) })
				c.downloads(sessions, size, rate)
				cancel()
				all.Wait()
				c.Stop()
				c.Balance("recorder")
				var octets, lost uint64
				reasons := make(map[string]int)
				for _, e := range c.Entries() {
					m := e.Mirror["recorder"]
					octets, lost = octets+m.Octets, lost+m.Lost
					if m.Reason != "" {
						reasons[m.Reason]++
					}
					if m.Lost > 0 && (full == "block" || !disturbed) {
						t.Errorf("session %s lost %d octets (%s)", e.Session, m.Lost, m.Reason)
					}
				}
				if octets+lost < uint64(sessions)*uint64(size) || octets == 0 || len(times) == 0 {
					t.Fatalf("%d octets framed, %d lost, %d exchanges", octets, lost, len(times))
				}
				t.Logf("%d octets framed, %d lost %v; exchanges p50 %v, p99 %v of %d", octets, lost, reasons,
					times[len(times)/2], times[len(times)*99/100], len(times))
			})
		}
	}
}

// record starts a recorder on an interface of its.
func (c *scene) record(far string) *netlab.Cmd {
	c.Helper()
	recorder := c.Recorder.Command(context.Background(), "tcpdump", "-i", far, "-n", "-w", "/dev/null")
	if err := recorder.Start(); err != nil {
		c.Error(err)
	}
	return recorder
}

// mishaps befall the recorder on far and the port before it, one after the other,
// until ctx ends.
func (c *scene) mishaps(ctx context.Context, name, far string) {
	c.Helper()
	pause := func() { time.Sleep(150 * time.Millisecond) }
	port := func(args ...string) {
		args = append([]string{"link", "set", "dev", name}, args...)
		if out, err := c.Box.Command(context.Background(), "ip", args...).CombinedOutput(); err != nil {
			c.Errorf("ip %v: %v\n%s", args, err, out)
		}
	}
	defer port("up", "mtu", "1500")
	for ctx.Err() == nil {
		recorder := c.record(far)
		pause()
		recorder.Signal(syscall.SIGSTOP)
		pause()
		recorder.Signal(syscall.SIGCONT)
		port("mtu", "1280")
		pause()
		recorder.Signal(syscall.SIGKILL)
		<-recorder.Done()
		port("mtu", "1500")
		pause()
		port("down")
		pause()
		port("up")
		pause()
	}
}

// TestRecorderGetsEverything has a recorder count what it gets: octets and frames
// are what the audit trail says. With CLEARSPAN_ROUNDS of 5 it takes 5 GB.
func TestRecorderGetsEverything(t *testing.T) {
	sessions, size := 8, int64(8<<20)
	if tempo.Rounds() > 1 {
		sessions, size = 100, int64(tempo.Rounds())*10<<20
	}
	c := newScene(t, settings{Blind: true})
	before, err := c.Recorder.Interface(lab.RecorderInterface)
	if err != nil {
		t.Fatal(err)
	}
	recorder := c.Recorder.Command(context.Background(), "dumpcap", "-i", lab.RecorderInterface, "-B", "512", "-w", "/dev/null")
	said := &transcript{}
	recorder.Stderr = said
	if err := recorder.Start(); err != nil {
		t.Fatal(err)
	}
	// It names the file once it has opened the interface, and then tells now and
	// again how many packets it has read.
	scenetest.Eventually(t, "dumpcap records", func() bool { return strings.Contains(said.String(), "File: ") })
	c.downloads(sessions, size, 0)
	c.Stop()
	var frames, octets, lost uint64
	for _, e := range c.Entries() {
		m := e.Mirror["recorder"]
		frames, octets, lost = frames+m.Frames, octets+m.Octets, lost+m.Lost
	}
	for i := 0; i < 1000 && !strings.Contains(said.String(), fmt.Sprintf("Packets: %d ", frames)); i++ {
		time.Sleep(10 * time.Millisecond)
	}
	after, err := c.Recorder.Interface(lab.RecorderInterface)
	if err != nil {
		t.Fatal(err)
	}
	recorder.Signal(syscall.SIGINT)
	<-recorder.Done()
	arrived := after.Statistics.RxPackets - before.Statistics.RxPackets
	t.Logf("%d frames with %d octets sent, %d lost; %d arrived; dumpcap: %q", frames, octets, lost, arrived, said.String())
	if lost > 0 || arrived != frames || octets < uint64(sessions)*uint64(size) {
		t.Errorf("%d frames with %d octets sent, %d octets lost, %d frames arrived", frames, octets, lost, arrived)
	}
	if want := fmt.Sprintf("received/dropped on interface '%s': %d/0", lab.RecorderInterface, frames); !strings.Contains(said.String(), want) {
		t.Errorf("dumpcap says %q, want %q", said.String(), want)
	}
}
