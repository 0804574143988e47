package mirrortest

import (
	"bytes"
	"crypto/sha256"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/clearspan/clearspan/mirror"
	"github.com/google/go-cmp/cmp"
	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

func writePcapng(t *testing.T, frames [][]byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "frames.pcapng")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	w, err := pcapgo.NewNgWriter(file, layers.LinkTypeEthernet)
	if err != nil {
		t.Fatal(err)
	}
	for _, frame := range frames {
		if err := w.WritePacket(gopacket.CaptureInfo{Timestamp: time.Now(), CaptureLength: len(frame), Length: len(frame)}, frame); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFilesHoldWhatWasWritten(t *testing.T) {
	frames := session()
	for _, tt := range []struct{ name, path string }{
		{"pcap", WritePcap(t, frames)},
		{"pcapng", writePcapng(t, frames)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ReadFile(tt.path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(frames, got); diff != "" {
				t.Errorf("frames (-want +got):\n%s", diff)
			}
			conversations, err := Conversations(tt.path)
			if err != nil || len(conversations) != 1 {
				t.Fatalf("%d conversations, %v", len(conversations), err)
			}
			c := conversations[0]
			if c.Client != testFlow.Client || c.Origin != testFlow.Origin || !c.Ended || c.Reset || c.Findings != nil || len(c.Streams[1]) != 2000 {
				t.Errorf("conversation %+v", c)
			}
		})
	}
}

func TestBrokenFiles(t *testing.T) {
	whole, err := os.ReadFile(WritePcap(t, session()))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		data []byte
	}{{"empty", nil}, {"not a capture", []byte("GET / HTTP/1.1\r\n\r\n and more than a header")}, {"cut", whole[:len(whole)-10]}} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "broken.pcap")
			if err := os.WriteFile(path, tt.data, 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := Conversations(path); err == nil {
				t.Error("no error")
			}
		})
	}
}

func TestConversationsAreKeptApart(t *testing.T) {
	recorder := &Recorder{}
	flows := []mirror.Flow{testFlow, testFlow, testFlow, {Client: netip.MustParseAddrPort("[2001:db8::1]:1024"), Origin: netip.MustParseAddrPort("[2001:db8::2]:443")}}
	flows[1].Client = netip.MustParseAddrPort("192.0.2.1:50001")
	flows[2].VLAN = 7
	var open []*mirror.Conversation
	for _, flow := range flows {
		open = append(open, mirror.Open(recorder, flow, mirror.Options{}))
	}
	for n := range 10 {
		for i, c := range open {
			c.Data(mirror.Direction(n%2), bytes.Repeat([]byte{byte('a' + i)}, 1000))
		}
	}
	for _, c := range open {
		c.Close()
	}
	again := mirror.Open(recorder, testFlow, mirror.Options{}) // same ports, anew
	again.Data(mirror.ClientToOrigin, []byte("again"))
	again.Reset(mirror.OriginToClient)

	arp := append(append([]byte{}, make([]byte, 12)...), 0x08, 0x06)
	frames := append(recorder.Frames(), append(arp, make([]byte, 46)...))
	conversations, err := Conversations(WritePcap(t, frames))
	if err != nil || len(conversations) != 5 {
		t.Fatalf("%d conversations, %v", len(conversations), err)
	}
	for i, c := range conversations[:4] {
		want := bytes.Repeat([]byte{byte('a' + i)}, 5000)
		if c.Client != flows[i].Client || c.VLAN != flows[i].VLAN || !bytes.Equal(c.Streams[0], want) || !bytes.Equal(c.Streams[1], want) || c.Findings != nil || !c.Ended {
			t.Errorf("conversation %d: %v, VLAN %d, %v", i, c.Client, c.VLAN, c.Findings)
		}
	}
	if c := conversations[4]; string(c.Streams[0]) != "again" || !c.Reset || !c.Ended || c.Findings != nil {
		t.Errorf("second use of the ports: %+v", c)
	}
}

// TestHashOnlyKeepsNoStream watches memory while much data pass.
func TestHashOnlyKeepsNoStream(t *testing.T) {
	recorder := &Recorder{}
	c := mirror.Open(recorder, testFlow, mirror.Options{})
	hash := sha256.New()
	a := NewAnalyzer(Options{HashOnly: true})
	chunk := make([]byte, 1<<20)
	const chunks = 24
	var start, end runtime.MemStats
	runtime.ReadMemStats(&start)
	for n := range chunks {
		chunk[0] = byte(n)
		hash.Write(chunk)
		c.Data(mirror.OriginToClient, chunk)
		for _, frame := range recorder.Frames() {
			a.Add(frame)
		}
		recorder.mu.Lock()
		recorder.frames, recorder.notes = nil, nil
		recorder.mu.Unlock()
	}
	c.Close()
	for _, frame := range recorder.Frames() {
		a.Add(frame)
	}
	conversations, _ := a.Finish()
	runtime.GC()
	runtime.ReadMemStats(&end)
	got := conversations[0]
	if got.Octets[1] != chunks<<20 || got.SHA256[1] != [32]byte(hash.Sum(nil)) || got.Streams[1] != nil || got.Findings != nil {
		t.Errorf("%d octets, findings %v", got.Octets[1], got.Findings)
	}
	if grown := int64(end.HeapAlloc) - int64(start.HeapAlloc); grown > 8<<20 {
		t.Errorf("memory grew by %d octets", grown)
	}
}
