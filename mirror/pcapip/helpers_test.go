package pcapip

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
	"go.uber.org/goleak"

	"github.com/clearspan/clearspan/hack/tempo"
	"github.com/clearspan/clearspan/mirror"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// listen starts a sink on a free port and closes it with the test.
func listen(t testing.TB, cfg Config) *Sink {
	t.Helper()
	cfg.Addr = "127.0.0.1:0"
	s, err := Listen(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// dial connects a reader and waits until the sink serves it.
func dial(t testing.TB, s *Sink) *net.TCPConn {
	t.Helper()
	before := s.Stats().Readers
	conn, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	tempo.Until(t, "reader joined", func() bool { return s.Stats().Readers == before+1 })
	return conn.(*net.TCPConn)
}

// received is what a reader got until the stream ended.
type received struct {
	frames [][]byte
	times  []time.Time
	err    error // nil at a clean end between two frames
}

// receive reads frames, decoded by gopacket, until the stream ends.
func receive(conn io.Reader) (got received) {
	r, err := pcapgo.NewReader(conn)
	if err != nil {
		got.err = err
		return got
	}
	for {
		octets, info, err := r.ReadPacketData()
		if errors.Is(err, io.EOF) {
			return got
		}
		if err == nil && info.Length != len(octets) {
			err = errors.New("frame was cut")
		}
		if err != nil {
			got.err = err
			return got
		}
		got.frames = append(got.frames, octets)
		got.times = append(got.times, info.Timestamp)
	}
}

// inBackground receives in a goroutine.
func inBackground(conn io.Reader) <-chan received {
	c := make(chan received, 1)
	go func() { c <- receive(conn) }()
	return c
}

// frame returns a TCP frame with the given sequence number and payload length.
func frame(t testing.TB, seq uint32, payload int) mirror.Frame {
	t.Helper()
	ip := &layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolTCP,
		SrcIP: net.IP{192, 0, 2, 1}, DstIP: net.IP{192, 0, 2, 2}}
	tcp := &layers.TCP{SrcPort: 40000, DstPort: 80, Seq: seq, ACK: true, Window: 65000}
	if err := tcp.SetNetworkLayerForChecksum(ip); err != nil {
		t.Fatal(err)
	}
	buf := gopacket.NewSerializeBuffer()
	err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true},
		&layers.Ethernet{SrcMAC: net.HardwareAddr{6, 0, 0, 0, 0, 1}, DstMAC: net.HardwareAddr{6, 0, 0, 0, 0, 2},
			EthernetType: layers.EthernetTypeIPv4},
		ip, tcp, gopacket.Payload(bytes.Repeat([]byte{byte(seq)}, payload)))
	if err != nil {
		t.Fatal(err)
	}
	const cut = 14 + 20 + 20
	octets := buf.Bytes()[:cut+payload] // without the padding that gopacket adds
	return mirror.Frame{Header: octets[:cut:cut], Payload: octets[cut:]}
}

// frames returns n full-size frames with ascending sequence numbers.
func frames(t testing.TB, n int) []mirror.Frame {
	t.Helper()
	fs := make([]mirror.Frame, n)
	for i := range fs {
		fs[i] = frame(t, uint32(i), 1460)
	}
	return fs
}

func octets(fs []mirror.Frame) (all [][]byte) {
	for _, f := range fs {
		all = append(all, append(bytes.Clone(f.Header), f.Payload...))
	}
	return all
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
