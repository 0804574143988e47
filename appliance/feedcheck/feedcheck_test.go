package feedcheck

import (
	"bytes"
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/clearspan/clearspan/hack/netlab"
	"github.com/clearspan/clearspan/mirror"
	"github.com/clearspan/clearspan/mirror/afpacket"
	"github.com/clearspan/clearspan/mirror/conformance"
	"github.com/clearspan/clearspan/mirror/mirrortest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var flow = mirror.Flow{Client: netip.MustParseAddrPort("192.0.2.1:50000"), Origin: netip.MustParseAddrPort("198.51.100.2:80")}

// session returns the frames of a sound conversation.
func session() [][]byte {
	recorder := &mirrortest.Recorder{}
	show(recorder)
	return recorder.Frames()
}

func show(sink mirror.Sink) {
	c := mirror.Open(sink, flow, mirror.Options{})
	c.Data(mirror.ClientToOrigin, []byte("GET / HTTP/1.1\r\n\r\n"))
	c.Data(mirror.OriginToClient, []byte("HTTP/1.1 204 No Content\r\n\r\n"))
	c.Close()
}

func TestRun(t *testing.T) {
	frames := session()
	whole, first, second := mirrortest.WritePcap(t, frames), mirrortest.WritePcap(t, frames[:4]), mirrortest.WritePcap(t, frames[4:])
	data, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	torn := filepath.Join(t.TempDir(), "torn.pcap")
	if err := os.WriteFile(torn, data[:len(data)-3], 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		args   []string
		cut    bool
		frames int      // 0: no report
		failed []string // rules
		text   string   // of the error
	}{
		{"sound", []string{whole}, false, 8, nil, ""},
		{"in two files", []string{first, second}, false, 8, nil, ""},
		{"half of it", []string{first}, false, 4, []string{"end"}, ""},
		{"half of it, of a running capture", []string{first}, true, 4, nil, ""},
		{"torn", []string{torn}, false, 7, nil, "torn.pcap: behind frame 7: read packet record at octet "},
		{"not there", []string{"nonesuch0"}, false, 0, nil, "nonesuch0 is neither a file nor an interface"},
		{"interface among files", []string{whole, "lo"}, false, 0, nil, "lo is neither a file"},
		{"directory", []string{t.TempDir()}, false, 0, nil, "is a directory"},
		{"no capture", []string{"feedcheck.go"}, false, 0, nil, "neither pcap nor pcapng"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := Run(t.Context(), tt.args, Options{Cut: tt.cut})
			if (err == nil) != (tt.text == "") || err != nil && !strings.Contains(err.Error(), tt.text) {
				t.Errorf("error %v, want %q", err, tt.text)
			}
			if (r == nil) != (tt.frames == 0) {
				t.Fatalf("report %v", r)
			}
			if r != nil && (r.Frames != uint64(tt.frames) || !slices.Equal(r.Broken(conformance.Fail), tt.failed)) {
				t.Errorf("%d frames, want %d; broken %v, want %v", r.Frames, tt.frames, r.Broken(conformance.Fail), tt.failed)
			}
		})
	}
}

// TestSilentStream: a stream that says nothing is left when the time is over.
func TestSilentStream(t *testing.T) {
	data, err := os.ReadFile(mirrortest.WritePcap(t, session()))
	if err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	defer r.Close()
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	checker := conformance.New(conformance.Options{})
	if err := read(ctx, checker, r, newProgress(nil, 0)); err != nil {
		t.Fatal(err)
	}
	if report := checker.Report(); !report.Ready || report.Frames != 8 {
		t.Errorf("%d frames, %s", report.Frames, report.Verdict())
	}
}

// TestInterface judges what arrives at a port.
func TestInterface(t *testing.T) {
	l := netlab.ForTest(t)
	near, err := l.Namespace("near")
	if err != nil {
		t.Fatal(err)
	}
	far, err := l.Namespace("far")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Link(netlab.End{Namespace: near, Name: "near0", Silent: true}, netlab.End{Namespace: far, Name: "far0", Silent: true}, netlab.LinkOptions{}); err != nil {
		t.Fatal(err)
	}
	var sink *afpacket.Sink
	if err := near.Do(func() (err error) { sink, err = afpacket.Open(afpacket.Config{Interface: "near0"}); return err }); err != nil {
		t.Fatal(err)
	}
	defer sink.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	said := make(chan struct{}, 1) // the port is open
	go func() {
		select {
		case <-said:
			show(sink)
		case <-ctx.Done():
		}
		time.Sleep(time.Second) // the kernel hands over what it has within 100
		cancel()
	}()
	var report *conformance.Report
	err = far.Do(func() (err error) {
		report, err = Run(ctx, []string{"far0"}, Options{For: time.Hour, Progress: announce(said)})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if !report.Ready || report.Frames != 8 || report.Open != 0 || report.Cut != 0 {
		var b bytes.Buffer
		report.WriteText(&b)
		t.Error(b.String())
	}
}

// announce is a writer that tells of the first line.
type announce chan struct{}

func (a announce) Write(p []byte) (int, error) {
	select {
	case a <- struct{}{}:
	default:
	}
	return len(p), nil
}

func TestProgress(t *testing.T) {
	var b bytes.Buffer
	p := newProgress(&b, 4000)
	p.show(1000)
	p.next = time.Time{}
	p.show(2000)
	p.show(3000)
	p.done()
	if got, want := b.String(), "read 2.0 kB of 4.0 kB, 50 %\n"; got != want {
		t.Errorf("progress %q, want %q", got, want)
	}
	quiet := newProgress(nil, 0)
	quiet.next = time.Time{}
	quiet.show(1)
	quiet.done()
}
