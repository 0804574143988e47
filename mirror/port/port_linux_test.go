package port

import (
	"bytes"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/clearspan/clearspan/hack/tempo"
	"github.com/clearspan/clearspan/mirror"
	"github.com/clearspan/clearspan/mirror/internal/linktest"
	"github.com/clearspan/clearspan/mirror/mirrortest"
)

func TestMain(m *testing.M) {
	tempo.Parallel(8)
	goleak.VerifyTestMain(m)
}

// methods runs a test on a veth pair by each method.
func methods(t *testing.T, f func(t *testing.T, m Method)) {
	t.Parallel()
	for _, m := range []Method{SendMMsg, GSO, XDP, Auto} {
		t.Run(string(m), func(t *testing.T) {
			t.Parallel()
			linktest.Enter(t)
			linktest.AddVeth(t)
			linktest.Quiet(t)
			f(t, m)
		})
	}
}

// openSink opens a sink on the near end and closes it with the test.
func openSink(t *testing.T, cfg Config) Sink {
	t.Helper()
	cfg.Interface = linktest.Near
	s, m, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, waits := s.(*turn); cfg.Method != Auto && m != cfg.Method && !waits {
		t.Fatalf("method %s, want %s", m, cfg.Method)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// TestConversationArrives sends conversations by each method; what arrives is,
// octet for octet, what a sink that keeps frames is given, and readers find
// nothing wrong.
func TestConversationArrives(t *testing.T) { methods(t, conversationArrives) }

func conversationArrives(t *testing.T, m Method) {
	rec := linktest.NewRecorder(t)
	s := openSink(t, Config{Method: m, Full: mirror.Block})
	before := s.Stats() // with Auto a test frame
	tempo.Until(t, "device counts what was sent", func() bool {
		before = s.Stats()
		return before.DevicePackets == before.Frames
	})
	var all, arrived [][]byte
	sent := make(map[netip.AddrPort][2][]byte)
	for _, tt := range linktest.Flows {
		keep := &mirrortest.Recorder{}
		c := mirror.Open(keep, tt.Flow, linktest.Options(tt.Mark))
		linktest.Session(c, 700_000)
		c.Close()
		want := keep.Frames()

		c = mirror.Open(s, tt.Flow, linktest.Options(tt.Mark))
		sent[tt.Flow.Client] = linktest.Session(c, 700_000)
		account := c.Close()
		if account.Lost != nil || account.Frames != uint64(len(want)) {
			t.Errorf("%s: account %+v, want %d frames and no loss", tt.Name, account, len(want))
		}
		got := rec.Frames(t, len(want), 20*time.Millisecond)
		for i := range want {
			if !bytes.Equal(got[i], want[i]) {
				t.Fatalf("%s: frame %d of %d octets arrived as %d:\n%x\n%x", tt.Name, i+1, len(want[i]), len(got[i]), want[i][:66], got[i][:66])
			}
		}
		all, arrived = append(all, want...), append(arrived, got...)
	}
	st := s.Stats()
	tempo.Until(t, "device counts what was sent", func() bool {
		st = s.Stats()
		return st.DevicePackets-before.DevicePackets == uint64(len(all))
	})
	octets := 0
	for _, f := range all {
		octets += len(f)
	}
	if st.Frames-before.Frames != uint64(len(all)) || st.Octets-before.Octets != uint64(octets) || st.DeviceDropped != 0 {
		t.Errorf("Stats = %+v, want %d frames, %d octets", st, len(all), octets)
	}
	read(t, arrived, sent)
}

// read has tshark and tcpflow read frames.
func read(t *testing.T, frames [][]byte, sent map[netip.AddrPort][2][]byte) {
	t.Helper()
	path := mirrortest.WritePcap(t, frames)
	for _, line := range mirrortest.TsharkComplaints(t, path) {
		t.Error("tshark: ", line)
	}
	dir := t.TempDir()
	mirrortest.Tool(t, dir, "tcpflow", "-r", path, "-o", dir, "-X", "/dev/null")
	files, _ := filepath.Glob(filepath.Join(dir, "*-*"))
	if len(files) != 2*len(sent) {
		t.Errorf("tcpflow wrote %d streams, want %d: %q", len(files), 2*len(sent), files)
	}
	for client, streams := range sent {
		for dir, stream := range streams {
			found := false
			for _, name := range files {
				got, err := os.ReadFile(name)
				found = found || err == nil && bytes.Equal(got, stream)
			}
			if !found {
				t.Errorf("tcpflow rebuilt no stream like the %d octets of %s, direction %d", len(stream), client, dir)
			}
		}
	}
}

func TestAutoSaysWhatItChose(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		prepare func(t *testing.T)
		want    Method
		log     []string
	}{
		{"the best works", func(*testing.T) {}, GSO, []string{"works"}},
		{"no complete checksums", func(t *testing.T) { linktest.Without(t, unix.CAP_NET_ADMIN) }, XDP, []string{"gso: switch transmit checksum offload"}},
		{"not up", func(t *testing.T) {
			linktest.Must(t, netlink.LinkSetDown(linktest.Named(t, linktest.Near)))
		}, GSO, []string{"not tested"}},
		{"neither", func(t *testing.T) {
			linktest.Without(t, unix.CAP_NET_ADMIN)
			holder := openSink(t, Config{Method: XDP}) // holds the only queue
			t.Cleanup(func() { holder.Close() })
		}, SendMMsg, []string{"gso: ", "xdp: ", "busy"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			linktest.Enter(t)
			linktest.AddVeth(t)
			tt.prepare(t)
			lines := new(linktest.LogLines)
			s, m, err := Open(Config{Interface: linktest.Near, Logger: lines.Logger()})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if m != tt.want || lines.Count("method="+string(tt.want)) != 1 {
				t.Errorf("method %s, want %s, and in the log", m, tt.want)
			}
			for _, text := range tt.log {
				if lines.Count(text) == 0 {
					t.Errorf("the log does not say %q", text)
				}
			}
		})
	}
}

// TestMethodIsTested: a method passes only if the device counts the frame.
func TestMethodIsTested(t *testing.T) {
	linktest.Enter(t)
	linktest.AddVeth(t)
	linktest.Quiet(t)
	s := openSink(t, Config{Method: SendMMsg})
	if err := test(linktest.Near, s); err != nil {
		t.Errorf("test of a good port: %v", err)
	}
	if err := test(linktest.Near, swallower{s}); err == nil {
		t.Error("a sink that sends nothing passed")
	}
	linktest.Must(t, netlink.LinkSetDown(linktest.Named(t, linktest.Near)))
	if err := test(linktest.Near, s); !errors.Is(err, errUntested) {
		t.Errorf("test of a port that is down: %v, want %v", err, errUntested)
	}
}

// swallower takes frames and does nothing with them.
type swallower struct{ Sink }

func (swallower) Send(frames []mirror.Frame) (int, error) { return len(frames), nil }

func TestOpenRefuses(t *testing.T) {
	linktest.Enter(t)
	for _, cfg := range []Config{
		{Interface: linktest.Near, Method: "raw"},
		{Interface: "", Method: Auto},
		{Interface: "sixteen-octets-x", Method: XDP},
		{Interface: linktest.Near, Method: XDP, Full: "wait"},
	} {
		if s, _, err := Open(cfg); err == nil {
			s.Close()
			t.Errorf("%+v: no error", cfg)
		}
	}
}

func TestCloseUnderLoad(t *testing.T) {
	methods(t, func(t *testing.T, m Method) {
		rec := linktest.NewRecorder(t)
		s := openSink(t, Config{Method: m, Full: mirror.Block})
		const sessions = 4
		accounts := make(chan mirror.Account, sessions)
		for range sessions {
			go func() {
				c := mirror.Open(s, linktest.Flows[0].Flow, linktest.Options(linktest.Flows[0].Mark))
				for c.Account().Lost == nil {
					c.Data(mirror.OriginToClient, make([]byte, 20_000))
					time.Sleep(100 * time.Microsecond)
				}
				accounts <- c.Close()
			}()
		}
		tempo.Until(t, "frames are on their way", func() bool { return s.Stats().Frames > 100 })
		s.Close()
		s.Close()
		var frames uint64
		for range sessions {
			a := <-accounts
			frames += a.Frames
			if a.Lost["closed"][1] == 0 || len(a.Lost) != 1 {
				t.Errorf("lost %v, want closed alone", a.Lost)
			}
		}
		rec.Frames(t, int(frames), 20*time.Millisecond)
		if st := s.Stats(); st.Up {
			t.Error("up after Close")
		}
	})
}

// TestCountersAreReconciled: at Close a sink says so if the device did not send
// what it took.
func TestCountersAreReconciled(t *testing.T) {
	methods(t, func(t *testing.T, m Method) {
		lines := new(linktest.LogLines)
		s := openSink(t, Config{Method: m, Logger: lines.Logger()})
		if n, err := s.Send(linktest.Frames(t, 1, 100, 10)); n != 100 || err != nil {
			t.Fatalf("Send = %d, %v", n, err)
		}
		s.Close()
		if lines.Count("did not send") != 0 {
			t.Error("frames are said to be missing")
		}
	})
	t.Run("missing", func(t *testing.T) {
		linktest.Enter(t)
		linktest.AddVeth(t)
		linktest.Quiet(t)
		// A queue that takes everything and lets nothing out.
		linktest.LimitRate(t, 1000, 1<<20)
		lines := new(linktest.LogLines)
		s := openSink(t, Config{Method: SendMMsg, Logger: lines.Logger()})
		if n, err := s.Send(linktest.Frames(t, 1, 100, 1000)); n != 100 || err != nil {
			t.Fatalf("Send = %d, %v", n, err)
		}
		s.Close()
		if lines.Count("did not send") != 1 {
			t.Error("nothing is said of frames that were not sent")
		}
	})
}
