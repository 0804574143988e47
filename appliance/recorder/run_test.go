package recorder_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/clearspan/clearspan/appliance/recorder"
	"github.com/clearspan/clearspan/appliance/recorder/rowstest"
	"github.com/clearspan/clearspan/appliance/recorder/source"
	"github.com/clearspan/clearspan/appliance/recorder/trail"
	"github.com/clearspan/clearspan/hack/netlab"
)

// oneBehindTheOther returns the frames of rows, of which none meets another one.
func oneBehindTheOther(rows []rowstest.Row) (frames []rowstest.Frame) {
	shift := time.Duration(0)
	for _, row := range rows {
		for _, f := range (rowstest.Render{}).Frames(&row) {
			f.At = f.At.Add(shift)
			frames = append(frames, f)
		}
		shift += 2 * time.Minute
	}
	return frames
}

// kept returns the facts that the archive of a directory has.
func kept(t *testing.T, dir string) []string {
	t.Helper()
	a, err := recorder.OpenArchive(dir, "")
	if err != nil {
		return nil
	}
	defer a.Close()
	var b bytes.Buffer
	out := recorder.NewJSONLines(&b)
	err = a.Trail.Events(t.Context(), trail.Question{Limit: trail.MaxPage}, func(x *trail.Full) bool { return out.Full(x) == nil })
	if err != nil {
		t.Fatal(err)
	}
	return factsOf(t, b.Bytes())
}

// opened opens a recorder.
func opened(t *testing.T, c recorder.Config) (*recorder.Recorder, recorder.Config) {
	t.Helper()
	c.Directory, c.Log = filepath.Join(t.TempDir(), "rec"), slog.New(slog.NewTextHandler(io.Discard, nil))
	r, err := recorder.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return r, c
}

// record runs a recorder until it has as many facts as are wanted, or for a minute. meanwhile
// makes what it records.
func record(t *testing.T, r *recorder.Recorder, c recorder.Config, want []string, meanwhile func()) []string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- errors.Join(r.Run(ctx), r.Close()) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	meanwhile()
	var got []string
	for end := time.Now().Add(time.Minute); len(got) < len(want) && time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		got = kept(t, c.Directory)
	}
	cancel()
	err := <-done
	done <- nil
	if err != nil {
		t.Error(err)
	}
	v, err := recorder.Verify(t.Context(), c.Directory, "", nil, nil)
	if err != nil || len(v.Faults) > 0 || v.Unsealed > 0 {
		t.Errorf("verify: %+v, %v", v, err)
	}
	return kept(t, c.Directory)
}

// serve hands a capture to the first who connects, as a server of pcap-over-IP does.
func serve(t *testing.T, capture []byte) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		c.Write(capture)
		io.Copy(io.Discard, c) // it is the other end that goes
	}()
	return l.Addr().String()
}

// incoming returns a directory into which a capture was put, a while ago.
func incoming(t *testing.T, capture []byte) string {
	t.Helper()
	dir := t.TempDir()
	name := filepath.Join(dir, "all.pcap")
	if err := os.WriteFile(name, capture, 0o600); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-time.Minute)
	if err := os.Chtimes(name, old, old); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestSources: rows give the same events, objects and findings, whichever way their frames
// come: imported, put into a directory, over TCP, or out of a network interface.
func TestSources(t *testing.T) {
	rows := some(rowstest.Rows(), 0, 4)
	want := goldenOf(t, rows)
	frames := oneBehindTheOther(rows)
	file := captured(t, frames)
	capture, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	compare := func(t *testing.T, got []string) {
		t.Helper()
		if d := rowstest.Differences(got, want); d != "" {
			t.Error(d)
		}
	}
	t.Run("import", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "imported")
		if _, err := recorder.Import(t.Context(), []string{file}, recorder.ImportOptions{Directory: dir}); err != nil {
			t.Fatal(err)
		}
		compare(t, kept(t, dir))
	})
	t.Run("directory", func(t *testing.T) {
		t.Parallel()
		r, c := opened(t, recorder.Config{Incoming: []string{incoming(t, capture)}})
		compare(t, record(t, r, c, want, func() {}))
	})
	t.Run("pcap-over-ip", func(t *testing.T) {
		t.Parallel()
		r, c := opened(t, recorder.Config{Feeds: []string{serve(t, capture)}})
		compare(t, record(t, r, c, want, func() {}))
	})
	t.Run("pipe", func(t *testing.T) {
		t.Parallel()
		in, out, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		r, c := opened(t, recorder.Config{Input: in})
		go func() {
			out.Write(capture)
			out.Close()
		}()
		if err := r.Run(t.Context()); err != nil { // it ends with the pipe
			t.Fatal(err)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		compare(t, kept(t, c.Directory))
	})
	for name, port := range map[string]source.Port{
		"interface": {}, "rings": {Rings: 2, Ring: 16 << 20, Filter: "not port 9999"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := cable(t)
			var r *recorder.Recorder
			var c recorder.Config
			port.Name = "far0"
			if err := p.far.Do(func() error { r, c = opened(t, recorder.Config{Interfaces: []source.Port{port}}); return nil }); err != nil {
				t.Fatal(err)
			}
			compare(t, record(t, r, c, want, func() { p.send(t, frames) }))
		})
	}
}

// port is a cable between the ports near0 and far0, each in a namespace of its own.
type port struct{ near, far *netlab.Namespace }

func cable(t *testing.T) port {
	t.Helper()
	l := netlab.ForTest(t)
	var p port
	var err error
	if p.near, err = l.Namespace("near"); err != nil {
		t.Fatal(err)
	}
	if p.far, err = l.Namespace("far"); err != nil {
		t.Fatal(err)
	}
	if err := l.Link(netlab.End{Namespace: p.near, Name: "near0", Silent: true}, netlab.End{Namespace: p.far, Name: "far0", Silent: true}, netlab.LinkOptions{}); err != nil {
		t.Fatal(err)
	}
	return p
}

// restEvery is after how many octets a sender gives the other end time to read: much less
// than the ring has.
const restEvery = 1 << 20

// send sends frames out of near0.
func (p port) send(t *testing.T, frames []rowstest.Frame) {
	t.Helper()
	fd := -1
	err := p.near.Do(func() error {
		index, err := net.InterfaceByName("near0")
		if err != nil {
			return err
		}
		if fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0); err != nil {
			return err
		}
		return unix.Bind(fd, &unix.SockaddrLinklayer{Ifindex: index.Index})
	})
	if fd >= 0 {
		defer unix.Close(fd)
	}
	if err != nil {
		t.Fatal(err)
	}
	sent := 0
	for i, f := range frames {
		if _, err := unix.Write(fd, f.Octets); err != nil {
			t.Fatalf("frame %d of %d octets: %v", i, len(f.Octets), err)
		}
		if sent += len(f.Octets); sent > restEvery {
			time.Sleep(100 * time.Millisecond)
			sent = 0
		}
	}
}

// TestDroppedAddsUp: frames for which a ring had no room count until the source is closed.
func TestDroppedAddsUp(t *testing.T) {
	t.Parallel()
	p := cable(t)
	var s source.Source
	if err := p.far.Do(func() (err error) {
		s, err = source.Interface(source.Port{Name: "far0", Ring: 1 << 20})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	frames := slices.Repeat([]rowstest.Frame{{Octets: make([]byte, 1400)}}, 2000)
	p.send(t, frames)
	n := s.Dropped()
	if again := s.Dropped(); n == 0 || again != n {
		t.Errorf("%d dropped, then %d", n, again)
	}
}
