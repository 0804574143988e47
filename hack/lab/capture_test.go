package lab

import (
	"bytes"
	"crypto/rand"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/clearspan/clearspan/hack/netlab"
	"github.com/google/go-cmp/cmp"
)

// TestCaptureLosesNothing records a plain download on the origin's link and
// finds every octet of it with three independent tools.
func TestCaptureLosesNothing(t *testing.T) {
	ctx, g := gateway(t)
	web, err := StartNginx(g.Origin, dir(t, g, "nginx"), []Site{{Port: PlainPort}})
	if err != nil {
		t.Fatal(err)
	}
	body := make([]byte, 5<<20)
	_, _ = rand.Read(body)
	if err := os.WriteFile(filepath.Join(web.Root, "big.bin"), body, 0o644); err != nil {
		t.Fatal(err)
	}
	// Whole checksums and frames within the MTU, as on a mirror port.
	for ns, ifname := range map[*netlab.Namespace]string{g.Origin: OriginInterface, g.Client: ClientInterface} {
		if err := ns.SetOffload(ifname, false, netlab.TXChecksum, netlab.TSO, netlab.GSO, netlab.GRO); err != nil {
			t.Fatal(err)
		}
	}
	if err := g.Box.SetOffload(WANInterface, false, netlab.TXChecksum, netlab.TSO, netlab.GSO, netlab.GRO); err != nil {
		t.Fatal(err)
	}
	work := dir(t, g, "work")
	capture, err := StartCapture(g.Origin, OriginInterface, filepath.Join(work, "cap.pcap"))
	if err != nil {
		t.Fatal(err)
	}
	before, err := g.Origin.Interface(OriginInterface)
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{OriginV4, "[" + OriginV6 + "]"} {
		if _, err := Curl(ctx, g.Client, "", "--output", filepath.Join(work, "got"), "http://"+host+"/big.bin"); err != nil {
			t.Fatal(err)
		}
	}
	n, err := capture.Stop()
	if err != nil {
		t.Fatal(err)
	}
	after, err := g.Origin.Interface(OriginInterface)
	if err != nil {
		t.Fatal(err)
	}
	if want := after.Statistics.RxPackets + after.Statistics.TxPackets - before.Statistics.RxPackets - before.Statistics.TxPackets; n.Captured < want {
		t.Errorf("captured %d of %d frames", n.Captured, want)
	}
	objects, err := ExportObjects(ctx, capture.File, "http", filepath.Join(work, "objects"))
	if err != nil {
		t.Fatal(err)
	}
	streams, err := Streams(ctx, capture.File, filepath.Join(work, "streams"))
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, path := range slices.Concat(objects, streams) {
		if got, err := os.ReadFile(path); err == nil && bytes.HasSuffix(got, body) {
			found++
		}
	}
	if len(objects) != 2 || len(streams) != 4 || found != 4 {
		t.Errorf("%d objects, %d streams, the file in %d of them", len(objects), len(streams), found)
	}
	list, err := Conversations(ctx, capture.File)
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != 2 || !strings.HasPrefix(list[0].Client, ClientV4+":") || list[1].Origin != "["+OriginV6+"]:80" ||
		list[0].OriginToClient <= int64(len(body)) || list[1].ClientToOrigin == 0 || !list[0].Closed {
		t.Errorf("conversations %+v", list)
	}
	requests, err := Fields(ctx, capture.File, "http.request", "http.request.method", "http.request.uri", "http.response.code")
	if err != nil {
		t.Fatal(err)
	}
	row := []string{"GET", "/big.bin", ""}
	if diff := cmp.Diff([][]string{row, row}, requests); diff != "" {
		t.Error(diff)
	}
}

// TestProblems shows that a bad checksum and a missing segment are noticed.
func TestProblems(t *testing.T) {
	ctx, g := gateway(t)
	web, err := StartNginx(g.Origin, dir(t, g, "nginx"), []Site{{Port: PlainPort}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(web.Root, "small.txt"), bytes.Repeat([]byte("words "), 100), 0o644); err != nil {
		t.Fatal(err)
	}
	for ns, ifname := range map[*netlab.Namespace]string{g.Origin: OriginInterface, g.Client: ClientInterface} {
		if err := ns.SetOffload(ifname, false, netlab.TXChecksum, netlab.TSO, netlab.GSO, netlab.GRO); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(dir(t, g, "work"), "cap.pcap")
	capture, err := StartCapture(g.Origin, OriginInterface, file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Curl(ctx, g.Client, "", "http://"+OriginV4+"/small.txt"); err != nil {
		t.Fatal(err)
	}
	if _, err := capture.Stop(); err != nil {
		t.Fatal(err)
	}
	if problems, err := Problems(ctx, file); err != nil || len(problems) != 0 {
		t.Fatalf("problems in a sound file: %q, %v", problems, err)
	}
	octets, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	octets[bytes.Index(octets, []byte("words"))] ^= 1
	broken := filepath.Join(filepath.Dir(file), "broken.pcap")
	if err := os.WriteFile(broken, octets, 0o644); err != nil {
		t.Fatal(err)
	}
	if problems, err := Problems(ctx, broken); err != nil || len(problems) == 0 {
		t.Errorf("a bad sum goes unnoticed: %v", err)
	}
}

// TestProblemsOfLargeFile downloads octets that look like broken messages wherever
// a segment begins, in a file too large for tshark to join its segments.
func TestProblemsOfLargeFile(t *testing.T) {
	ctx, g := gateway(t)
	web, err := StartNginx(g.Origin, dir(t, g, "nginx"), []Site{{Port: PlainPort}})
	if err != nil {
		t.Fatal(err)
	}
	const line = "\r\n\x01: "
	if err := os.WriteFile(filepath.Join(web.Root, "large.bin"), bytes.Repeat([]byte(line), reassembled/len(line)), 0o644); err != nil {
		t.Fatal(err)
	}
	for ns, ifname := range map[*netlab.Namespace]string{g.Origin: OriginInterface, g.Client: ClientInterface} {
		if err := ns.SetOffload(ifname, false, netlab.TXChecksum, netlab.TSO, netlab.GSO, netlab.GRO); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(dir(t, g, "work"), "cap.pcap")
	capture, err := StartCapture(g.Origin, OriginInterface, file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Curl(ctx, g.Client, "", "--output", "/dev/null", "http://"+OriginV4+"/large.bin"); err != nil {
		t.Fatal(err)
	}
	if _, err := capture.Stop(); err != nil {
		t.Fatal(err)
	}
	problems, err := Problems(ctx, file)
	// The real connection here may have its own, such as a full window.
	problems = slices.DeleteFunc(problems, func(p string) bool { return !strings.Contains(p, "HTTP") })
	if err != nil || len(problems) != 0 {
		t.Errorf("%d problems in a sound file, %v, %.300q", len(problems), err, strings.Join(problems, "\n"))
	}
}

func TestCaptureRefuses(t *testing.T) {
	_, g := gateway(t)
	work := dir(t, g, "work")
	for _, tc := range []struct{ name, ifname, file string }{
		{"file name", RecorderInterface, filepath.Join(work, "cap")},
		{"interface", "none0", filepath.Join(work, "cap.pcap")},
		{"directory", RecorderInterface, filepath.Join(work, "none", "cap.pcap")},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, err := StartCapture(g.Recorder, tc.ifname, tc.file); err == nil {
				t.Error("started")
			}
		})
	}
}
