package pcapng

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
	"go.uber.org/goleak"

	"github.com/clearspan/clearspan/hack/needs"
	"github.com/clearspan/clearspan/mirror"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// openSink opens a sink that flushes every 10 ms and tries a failed storage
// again after 20 ms. It is closed with the test.
func openSink(t testing.TB, cfg Config) *Sink {
	t.Helper()
	if cfg.Directory == "" {
		cfg.Directory = t.TempDir()
	}
	s, err := open(cfg, 10*time.Millisecond, 20*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// gated is a storage whose writes wait until the gate is open.
type gated struct {
	storage
	gate chan struct{}
}

func (g gated) write(b *buffer, now time.Time, cached bool) error {
	<-g.gate
	return g.storage.write(b, now, cached)
}

// openStalled opens a sink whose writer is stuck in its first write until
// release is called.
func openStalled(t testing.TB, cfg Config) (s *Sink, release func()) {
	t.Helper()
	cfg, err := cfg.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	st, err := newStore(&cfg)
	if err != nil {
		t.Fatal(err)
	}
	gate := make(chan struct{})
	release = sync.OnceFunc(func() { close(gate) })
	s = start(cfg, gated{st, gate}, 10*time.Millisecond, 20*time.Millisecond)
	t.Cleanup(func() { release(); s.Close() })
	return s, release
}

// frame returns a TCP frame with the given sequence number and payload.
func frame(t testing.TB, seq uint32, payload []byte, note string) mirror.Frame {
	t.Helper()
	ip := &layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolTCP,
		SrcIP: net.IP{192, 0, 2, 1}, DstIP: net.IP{192, 0, 2, 2}}
	tcp := &layers.TCP{SrcPort: 40000, DstPort: 80, Seq: seq, ACK: true, PSH: true, Window: 65000}
	if err := tcp.SetNetworkLayerForChecksum(ip); err != nil {
		t.Fatal(err)
	}
	buf := gopacket.NewSerializeBuffer()
	err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true},
		&layers.Ethernet{SrcMAC: net.HardwareAddr{6, 0, 0, 0, 0, 1}, DstMAC: net.HardwareAddr{6, 0, 0, 0, 0, 2},
			EthernetType: layers.EthernetTypeIPv4},
		ip, tcp, gopacket.Payload(payload))
	if err != nil {
		t.Fatal(err)
	}
	const cut = 14 + 20 + 20
	octets := buf.Bytes()[:cut+len(payload)] // without the padding that gopacket adds
	return mirror.Frame{Header: octets[:cut:cut], Payload: octets[cut:], Note: note}
}

// frames returns n full-size frames with ascending sequence numbers.
func frames(t testing.TB, n int) []mirror.Frame {
	t.Helper()
	fs := make([]mirror.Frame, n)
	for i := range fs {
		fs[i] = frame(t, uint32(i), bytes.Repeat([]byte{byte(i)}, 1460), "")
	}
	return fs
}

// send sends frames and wants all of them delivered.
func send(t testing.TB, s *Sink, frames []mirror.Frame) {
	t.Helper()
	if n, err := s.Send(frames); n != len(frames) || err != nil {
		t.Fatalf("Send = %d, %v; want %d, nil", n, err, len(frames))
	}
}

// packet is what a file holds of a frame.
type packet struct {
	Octets  []byte
	Comment []string
	Time    time.Time
}

// read returns the packets of a complete file, decoded by gopacket.
func read(t testing.TB, path string) (packets []packet) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	return decode(t, path, file)
}

// decode is read for a file that may be in memory.
func decode(t testing.TB, path string, file io.Reader) (packets []packet) {
	t.Helper()
	r, err := pcapgo.NewNgReader(file, pcapgo.DefaultNgReaderOptions)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	for {
		octets, info, opts, err := r.ReadPacketDataWithOptions()
		if errors.Is(err, io.EOF) {
			return packets
		}
		if err != nil {
			t.Fatalf("%s: packet %d: %v", path, len(packets), err)
		}
		if info.Length != len(octets) {
			t.Fatalf("%s: packet %d: length %d, captured %d", path, len(packets), info.Length, len(octets))
		}
		packets = append(packets, packet{octets, opts.Comments, info.Timestamp})
	}
}

// readAll returns the packets of all complete files of a directory in order.
func readAll(t testing.TB, directory string) (packets []packet) {
	t.Helper()
	for _, name := range list(t, directory, suffix) {
		packets = append(packets, read(t, filepath.Join(directory, name))...)
	}
	return packets
}

// list returns the names in directory that end in ending, sorted.
func list(t testing.TB, directory, ending string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(directory)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ending) {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names
}

func octets(f mirror.Frame) []byte { return append(bytes.Clone(f.Header), f.Payload...) }

// tshark returns the program's path, or skips the test where it is absent, unless CI
// is set.
func tshark(t testing.TB) string {
	t.Helper()
	path, err := exec.LookPath("tshark")
	if err != nil {
		needs.Missing(t, err)
	}
	return path
}

// logLines is a logger's output for a test to read.
type logLines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logLines) count(substring string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.buf.String(), substring)
}

func (l *logLines) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }
