package pcapng

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gopacket/gopacket/layers"

	"github.com/clearspan/clearspan/hack/tempo"
	"github.com/clearspan/clearspan/mirror"
)

var (
	v4 = netip.MustParseAddr("192.0.2.2") // destination of the frames of these tests
	v6 = netip.MustParseAddr("2001:db8::1")
)

// count returns how often a binding stands in a file.
func count(t *testing.T, path string, n nameRecord) int {
	t.Helper()
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	record := appendNames(nil, []nameRecord{n})
	return bytes.Count(file, record[8:len(record)-8])
}

// TestNames: each name is once in each file in which it was said, and tshark
// resolves addresses by it.
func TestNames(t *testing.T) {
	dir := t.TempDir()
	s := openSink(t, Config{Directory: dir, RotateSize: minRotateSize})
	for range 3 {
		s.Name(v4, "www.example.test.")
		s.Name(netip.AddrFrom16(v4.As16()), "www.example.test")
		s.Name(v6, "six.example.test")
		for _, none := range []string{"", ".", "a b", "a\x00b", "\xff", strings.Repeat("a", maxName+1)} {
			s.Name(v4, none)
		}
		s.Name(netip.Addr{}, "nowhere.test")
		for range 3 { // 230 KB: one file
			send(t, s, frames(t, 50))
		}
		tempo.Until(t, "written", func() bool {
			s.mu.Lock()
			defer s.mu.Unlock()
			return len(s.pending) == 0 && (s.current == nil || len(s.current.blocks) == 0)
		})
	}
	s.Close()
	names := list(t, dir, suffix)
	if len(names) < 3 {
		t.Fatalf("files %v", names)
	}
	if n := len(readAll(t, dir)); n != 9*50 {
		t.Errorf("%d packets, want %d", n, 9*50)
	}
	found := 0
	for _, name := range names {
		path := filepath.Join(dir, name)
		for _, n := range []nameRecord{{v4, "www.example.test"}, {v6, "six.example.test"}} {
			if got := count(t, path, n); got > 1 {
				t.Errorf("%s says %v %d times", name, n, got)
			} else {
				found += got
			}
		}
		if info, err := os.Stat(path); err != nil || info.Size() > minRotateSize {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	if found != 6 {
		t.Errorf("names stand %d times in %d files, want 6", found, len(names))
	}
	out, err := exec.Command(tshark(t), "-r", filepath.Join(dir, names[0]), "-N", "n", "-c", "1", "-T", "fields", "-e", "ip.dst_host").Output()
	if err != nil || strings.TrimSpace(string(out)) != "www.example.test" {
		t.Errorf("tshark resolves the address to %q, %v", out, err)
	}
}

func TestNamesBounded(t *testing.T) {
	dir := t.TempDir()
	s := openSink(t, Config{Directory: dir})
	for i := range 3 * maxBufferNames {
		s.Name(v4, fmt.Sprintf("n%d.test", i))
	}
	s.mu.Lock()
	if n := len(s.current.names); n != maxBufferNames {
		t.Errorf("%d names wait", n)
	}
	s.mu.Unlock()
	send(t, s, frames(t, 1))
	s.Close()
	s.Name(v4, "late.test")
	st := &store{named: make(map[nameRecord]struct{})}
	for i := range maxFileNames {
		st.named[nameRecord{v4, fmt.Sprint(i)}] = struct{}{}
	}
	if st.newNames([]nameRecord{{v4, "one.more"}}) != nil {
		t.Error("a file takes more names than its limit")
	}
}

// TestNamesAlone: names alone make no file.
func TestNamesAlone(t *testing.T) {
	dir := t.TempDir()
	s := openSink(t, Config{Directory: dir})
	s.Name(v4, "www.example.test")
	s.Close()
	if names := list(t, dir, ""); len(names) > 0 {
		t.Errorf("files %v", names)
	}
}

// TestStatistics: the blocks at the files' ends sum up to what the sink counts.
func TestStatistics(t *testing.T) {
	dir := t.TempDir()
	s := openSink(t, Config{Directory: dir, RotateSize: minRotateSize})
	long := mirror.Frame{Header: make([]byte, 54), Payload: make([]byte, 1600)}
	for range 4 {
		send(t, s, frames(t, 100))
		if n, err := s.Send([]mirror.Frame{long, long}); n != 0 || err == nil {
			t.Fatalf("Send = %d, %v", n, err)
		}
	}
	s.Close()
	var received, lost uint64
	for _, name := range list(t, dir, suffix) {
		file, err := os.Open(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		r := reader(t, file)
		packets := uint64(0)
		for {
			if _, _, err := r.ReadPacketData(); err != nil {
				break
			}
			packets++
		}
		iface, err := r.Interface(0)
		if err != nil || iface.LinkType != layers.LinkTypeEthernet {
			t.Fatalf("%s: interface %+v, %v", name, iface, err)
		}
		st := iface.Statistics
		if st.PacketsReceived != packets+st.PacketsDropped || st.EndTime.Before(st.StartTime) || st.StartTime.IsZero() {
			t.Errorf("%s: %d packets, statistics %+v", name, packets, st)
		}
		received += st.PacketsReceived
		lost += st.PacketsDropped
	}
	if received != 408 || lost != 8 {
		t.Errorf("received %d, lost %d; want 408, 8", received, lost)
	}
}
