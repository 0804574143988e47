package mirror_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/clearspan/clearspan/mirror"
	"github.com/clearspan/clearspan/mirror/mirrortest"
)

// webSession shows requests for objects of the given sizes on one connection,
// answers in chunks of 16 KiB, and returns the octets of both directions.
func webSession(c *mirror.Conversation, name string, sizes []int, objects map[string][]byte) (sent [2][]byte) {
	say := func(dir mirror.Direction, p []byte) {
		c.Data(dir, p)
		sent[dir] = append(sent[dir], p...)
	}
	for i, size := range sizes {
		file := fmt.Sprintf("%s-%d.bin", name, i)
		objects[file] = random(size + i)
		say(toOrigin, fmt.Appendf(nil, "GET /%s HTTP/1.1\r\nHost: origin.example\r\n\r\n", file))
		answer := fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n", size+i)
		answer = append(answer, objects[file]...)
		for len(answer) > 0 {
			n := min(len(answer), 16<<10)
			say(toClient, answer[:n])
			answer = answer[n:]
		}
	}
	return sent
}

// webCapture shows a web session on every medium.
func webCapture(t *testing.T) (frames [][]byte, objects map[string][]byte, sent map[netip.AddrPort][2][]byte) {
	t.Helper()
	recorder := &mirrortest.Recorder{}
	objects, sent = map[string][]byte{}, map[netip.AddrPort][2][]byte{}
	for i, tt := range media {
		recorder.SetMTU(tt.mtu)
		flow := tt.flow
		flow.Client = netip.AddrPortFrom(flow.Client.Addr(), uint16(50000+i))
		c := mirror.Open(recorder, flow, tt.opts)
		sent[flow.Client] = webSession(c, fmt.Sprint("medium", i), []int{1, 5000, 300_000 + i}, objects)
		switch i % 3 {
		case 0:
			c.End(toClient)
		case 1:
			c.End(toOrigin)
		}
		c.Close()
	}
	return recorder.Frames(), objects, sent
}

func TestTsharkFindsNothingWrong(t *testing.T) {
	frames, objects, _ := webCapture(t)
	path := mirrortest.WritePcap(t, frames)
	for _, line := range mirrortest.TsharkComplaints(t, path) {
		t.Error(line)
	}

	dir := filepath.Join(t.TempDir(), "objects")
	mirrortest.Tool(t, "", "tshark", "-q", "-r", path, "--export-objects", "http,"+dir)
	exported, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(exported) != len(objects) {
		t.Errorf("%d objects exported, want %d", len(exported), len(objects))
	}
	for name, want := range objects {
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("object %s: %d octets differ from the %d sent (%v)", name, len(got), len(want), err)
		}
	}
}

func TestTsharkSeesOnlyTheGap(t *testing.T) {
	recorder := &mirrortest.Recorder{}
	for i, gap := range []uint64{1, 1448, 1 << 20, 3 << 30} {
		flow := flow4
		flow.Client = netip.AddrPortFrom(flow.Client.Addr(), uint16(50000+i))
		c := mirror.Open(recorder, flow, mirror.Options{})
		c.Data(toOrigin, random(3000))
		c.Data(toClient, random(30_000))
		c.Skip(toClient, gap, "late")
		c.Data(toClient, random(200_000))
		c.Data(toOrigin, random(10))
		c.Close()
	}
	path := mirrortest.WritePcap(t, recorder.Frames())
	lost := 0
	for _, line := range mirrortest.TsharkComplaints(t, path) {
		previous := strings.Contains(line, "Previous segment(s) not captured")
		if previous {
			lost++
		}
		if !previous && !strings.Contains(line, "ACKed segment that wasn't captured") {
			t.Error(line)
		}
	}
	if lost != 4 {
		t.Errorf("tshark noticed %d gaps, want 4", lost)
	}
}

func TestTcpflowRebuildsTheStreams(t *testing.T) {
	frames, _, sent := webCapture(t)
	dir := t.TempDir()
	mirrortest.Tool(t, dir, "tcpflow", "-r", mirrortest.WritePcap(t, frames), "-o", dir, "-X", "/dev/null")
	streams := 0
	for i, tt := range media {
		client := netip.AddrPortFrom(tt.flow.Client.Addr(), uint16(50000+i))
		ends := [2]string{tcpflowName(client), tcpflowName(tt.flow.Origin)}
		for direction, want := range sent[client] {
			name := ends[direction] + "-" + ends[1-direction]
			if tt.opts.Mark.VLAN != 0 {
				name += fmt.Sprint("--", tt.opts.Mark.VLAN)
			}
			streams++
			got, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s %s: %d octets differ from the %d sent (%v)", tt.name, name, len(got), len(want), err)
			}
		}
	}
	files, err := filepath.Glob(filepath.Join(dir, "*-*"))
	if err != nil || len(files) != streams {
		t.Errorf("tcpflow wrote %d streams, want %d (%v)", len(files), streams, err)
	}
}

// tcpflowName writes an address and port as tcpflow names its files.
func tcpflowName(ap netip.AddrPort) string {
	if !ap.Addr().Is4() {
		return fmt.Sprintf("%s.%05d", ap.Addr(), ap.Port())
	}
	ip := ap.Addr().As4()
	return fmt.Sprintf("%03d.%03d.%03d.%03d.%05d", ip[0], ip[1], ip[2], ip[3], ap.Port())
}

// TestTsharkFollowsTheStreams has tshark write out the octets of each stream.
func TestTsharkFollowsTheStreams(t *testing.T) {
	frames, _, sent := webCapture(t)
	args := []string{"-n", "-q", "-r", mirrortest.WritePcap(t, frames)}
	for i := range media {
		args = append(args, "-z", fmt.Sprintf("follow,tcp,raw,%d", i))
	}
	got, stream := make([][2][]byte, len(media)), -1
	for line := range strings.Lines(mirrortest.Tool(t, "", "tshark", args...)) {
		if n, ok := strings.CutPrefix(line, "Filter: tcp.stream eq "); ok {
			var err error
			if stream, err = strconv.Atoi(strings.TrimSpace(n)); err != nil || stream >= len(media) {
				t.Fatalf("tshark follows stream %q", n)
			}
		}
		dir := 0 // an answer is indented
		if strings.HasPrefix(line, "\t") {
			dir = 1
		}
		octets, err := hex.DecodeString(strings.TrimSpace(line))
		if err != nil || len(octets) == 0 {
			continue // the frame around it
		}
		got[stream][dir] = append(got[stream][dir], octets...)
	}
	for i, tt := range media {
		client := netip.AddrPortFrom(tt.flow.Client.Addr(), uint16(50000+i))
		for dir, want := range sent[client] {
			if !bytes.Equal(got[i][dir], want) {
				t.Errorf("%s, direction %d: %d octets differ from the %d sent", tt.name, dir, len(got[i][dir]), len(want))
			}
		}
	}
}

// TestChaosreaderFindsTheSessions has chaosreader write out the octets of each
// direction.
func TestChaosreaderFindsTheSessions(t *testing.T) {
	recorder := &mirrortest.Recorder{}
	sent := map[int][2][]byte{}
	for i, shape := range shapes {
		flow := shape.flow
		flow.Client = netip.AddrPortFrom(flow.Client.Addr(), uint16(50000+i))
		c := mirror.Open(recorder, flow, mirror.Options{Mark: mirror.Mark{VLAN: shape.vlan}})
		sent[50000+i] = exchange(c)
		c.Close()
	}
	dir := t.TempDir()
	mirrortest.Tool(t, dir, "chaosreader", "-q", "-r", "-D", dir, mirrortest.WritePcap(t, recorder.Frames()))
	for dirNumber, suffix := range []string{"raw2", "raw1"} { // 1 is the origin
		files, err := filepath.Glob(filepath.Join(dir, "session_*."+suffix))
		if err != nil || len(files) != len(shapes) {
			entries, _ := os.ReadDir(dir)
			t.Fatalf("%d files of %s, want %d: %v %v", len(files), suffix, len(shapes), entries, err)
		}
		for i, file := range files {
			got, err := os.ReadFile(file)
			want := sent[50000+i][dirNumber]
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s: %d octets differ from the %d sent (%v)", filepath.Base(file), len(got), len(want), err)
			}
		}
	}
}
