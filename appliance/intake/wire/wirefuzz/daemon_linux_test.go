package wirefuzz

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/clearspan/clearspan/appliance/intake"
	"github.com/clearspan/clearspan/appliance/intake/wire"
	"github.com/clearspan/clearspan/decrypt"
	"github.com/clearspan/clearspan/decrypt/policy"
	"github.com/clearspan/clearspan/hack/lab"
)

// daemonEnv has the test binary run a wire instead of tests.
const daemonEnv = "CLEARSPAN_TEST_WIREFUZZ"

func TestMain(m *testing.M) {
	if text := os.Getenv(daemonEnv); text != "" {
		if err := daemon(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	flag.Parse()
	goleak.VerifyTestMain(m)
}

// settings configure the wire of a rig, or the router.
type settings struct {
	Name     string
	Takeover wire.Takeover
	Down     intake.Down
	Routed   bool
	Open     bool // pass what cannot be judged, if the wire can be told so
	Remove   bool // remove the wire instead of running it
}

// Limits of the daemon. Nothing here shall depend on how busy the machine is: the
// wire passes everything, as it is to, when its loop stands still for longer than stall.
const (
	stall      = time.Minute
	silence    = 300 * time.Millisecond // after which the origin may be the one to speak
	flightWait = 4 * time.Second        // for the rest of a hello
	lifeLimit  = 50 * time.Second       // of a session; what is lost on a bad line may come again late
	relayLimit = 16 << 10               // octets of a session that are relayed
)

// daemon runs a wire that says on its standard output what it decided on, before it
// acts on it.
func daemon(text string) error {
	var s settings
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return err
	}
	if s.Remove {
		return wire.Remove(s.Name)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if s.Routed {
		return run(ctx, func(o intake.Options) (intake.Intake, error) {
			o.Name = "fuzz" // of this namespace
			return intake.NewTProxy(intake.TProxy{Listen: ":0", From: []string{lab.LANInterface}, Ports: []policy.PortRange{{First: webPort, Last: webPort}, {First: mailPort, Last: mailPort}}}, o)
		})
	}
	config := wire.Config{
		Legs: [2]string{lab.LANInterface, lab.WANInterface}, Takeover: s.Takeover, Down: s.Down, Stall: stall,
		Ports: []policy.PortRange{{First: webPort, Last: webPort}, {First: mailPort, Last: mailPort}},
		Decide: func(in *decrypt.Incoming, flight []byte) wire.Decision {
			v := look(in, flight)
			if v == wire.Pass {
				say(passed, in, flight)
			}
			return v
		},
	}
	config.Open, config.Grace = s.Open, time.Nanosecond // strict from its start on, or not at all
	return run(ctx, func(o intake.Options) (intake.Intake, error) {
		o.Name = s.Name
		return wire.New(config, o)
	})
}

// run serves an intake until ctx ends.
func run(ctx context.Context, open func(intake.Options) (intake.Intake, error)) error {
	in, err := open(intake.Options{Handler: serve, Logger: slog.New(slog.NewTextHandler(os.Stderr, nil))})
	if err != nil {
		return err
	}
	fmt.Println("ready")
	if err := in.Serve(ctx); err != nil {
		return err
	}
	in.Wait()
	return nil
}

// look decides as an engine does: by the server name of a whole hello. What cannot
// become a hello is taken.
func look(in *decrypt.Incoming, flight []byte) wire.Decision {
	facts, more := decrypt.Facts(in, flight)
	switch {
	case more:
		return wire.NeedMore
	case facts.SNI == bankName || facts.SNI == harmName:
		return wire.Pass
	}
	return wire.Take
}

// Kinds of judgements.
const (
	passed  = "pass"  // the octets are the flight of a connection that goes on end to end
	relayed = "relay" // the octets are all that a session sent to its origin
	ended   = "end"   // the octets have a session terminated
)

var output sync.Mutex

func say(kind string, in *decrypt.Incoming, octets []byte) {
	output.Lock()
	defer output.Unlock()
	fmt.Printf("%s %s %s\n", kind, in.Client, base64.StdEncoding.EncodeToString(octets))
}

// serve relays a session, unless it is the forbidden one. It judges again, as the
// engine does: by what comes out of the socket.
func serve(ctx context.Context, in *decrypt.Incoming) {
	client := in.Conn.(*net.TCPConn)
	end := time.Now().Add(lifeLimit)
	client.SetDeadline(end)
	defer context.AfterFunc(ctx, func() { client.Close() })()
	client.SetLinger(0) // nothing of a case stays behind it
	defer client.Close()
	var origin net.Conn
	var back sync.WaitGroup
	defer back.Wait()
	defer func() {
		if origin != nil {
			origin.(*net.TCPConn).SetLinger(0)
			origin.Close()
		}
	}()
	dial := func() bool {
		if origin != nil {
			return true
		}
		var err error
		if origin, err = in.Dial(ctx); err != nil {
			return false
		}
		origin.SetDeadline(end)
		back.Go(func() {
			if _, err := io.CopyN(client, origin, relayLimit); err != nil && err != io.EOF {
				client.Close()
			}
		})
		return true
	}
	flight, said := make([]byte, 0, relayLimit), 0
	judged := false
	for len(flight) < cap(flight) {
		switch {
		case len(flight) == 0 && origin == nil:
			client.SetReadDeadline(time.Now().Add(silence))
		case len(flight) > 0 && !judged:
			client.SetReadDeadline(time.Now().Add(flightWait))
		}
		n, err := client.Read(flight[len(flight):cap(flight)])
		client.SetReadDeadline(end)
		flight = flight[:len(flight)+n]
		if n > 0 && !judged {
			switch look(in, flight) {
			case wire.NeedMore:
				if err == nil {
					continue
				}
			default:
				judged = true
			}
			if nameIn(flight) == evilName {
				say(ended, in, flight)
				return
			}
		}
		if judged && n > 0 {
			if !dial() {
				return
			}
			say(relayed, in, flight)
			if _, err := origin.Write(flight[said:]); err != nil {
				return
			}
			said = len(flight)
		}
		switch {
		case err == nil:
		case errors.Is(err, os.ErrDeadlineExceeded) && len(flight) == 0 && time.Now().Before(end):
			if !dial() { // the origin may speak first
				return
			}
		default:
			return
		}
	}
}

// judgement is what the daemon said about a connection.
type judgement struct {
	kind   string
	octets []byte
}

// judgements are what the daemon said of clients that are watched. Safe for
// concurrent use.
type judgements struct {
	mu  sync.Mutex
	all map[netip.AddrPort][]judgement
}

// of returns what was said about the connections of a client.
func (j *judgements) of(client netip.AddrPort) []judgement {
	j.mu.Lock()
	defer j.mu.Unlock()
	return append([]judgement(nil), j.all[client]...)
}

// watch has what is said of a client kept, until it is forgotten.
func (j *judgements) watch(client netip.AddrPort) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.all[client] = []judgement{}
}

func (j *judgements) forget(client netip.AddrPort) {
	j.mu.Lock()
	defer j.mu.Unlock()
	delete(j.all, client)
}

// read takes in what a daemon says, until it ends.
func (j *judgements) read(r io.Reader, ready chan<- struct{}) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		if len(f) == 1 && f[0] == "ready" {
			close(ready)
			continue
		}
		if len(f) == 2 {
			f = append(f, "")
		}
		if len(f) != 3 {
			continue
		}
		client, err := netip.ParseAddrPort(f[1])
		octets, err2 := base64.StdEncoding.DecodeString(f[2])
		if err != nil || err2 != nil {
			continue
		}
		j.mu.Lock()
		if j.all[client] != nil {
			j.all[client] = append(j.all[client], judgement{f[0], octets})
		}
		j.mu.Unlock()
	}
}
