package pcapng

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"github.com/clearspan/clearspan/mirror"
)

func TestComment(t *testing.T) {
	for _, tt := range []struct {
		name, note, want string
	}{
		{"empty", "", ""},
		{"short", "rule r1", "rule r1"},
		{"longest", strings.Repeat("a", maxComment), strings.Repeat("a", maxComment)},
		{"too long", strings.Repeat("a", maxComment+1), strings.Repeat("a", maxComment)},
		{"cut between characters", strings.Repeat("a", maxComment-1) + "é", strings.Repeat("a", maxComment-1)},
		{"cut before four octets", strings.Repeat("𝄞", 20000), strings.Repeat("𝄞", maxComment/4)},
		{"invalid octets", "a\xff\xfeb", "a\uFFFDb"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := comment(tt.note)
			if got != tt.want || !utf8.ValidString(got) {
				t.Errorf("comment has %d octets, want %d", len(got), len(tt.want))
			}
			dir := t.TempDir()
			s := openSink(t, Config{Directory: dir})
			send(t, s, []mirror.Frame{frame(t, 1, []byte("before"), ""), frame(t, 2, []byte("x"), tt.note), frame(t, 3, []byte("after"), "")})
			s.Close()
			var comments []string
			packets := readAll(t, dir)
			for _, p := range packets {
				comments = append(comments, p.Comment...)
			}
			if len(packets) != 3 || strings.Join(comments, "") != tt.want {
				t.Errorf("%d packets, comment of %d octets; want 3, %d", len(packets), len(strings.Join(comments, "")), len(tt.want))
			}
		})
	}
}

// TestAppendPacketAsGopacket compares with gopacket's own encoder.
func TestAppendPacketAsGopacket(t *testing.T) {
	for payload := range 9 {
		for _, note := range []string{"", "a", "ab", "abc", "abcd"} {
			f := frame(t, 7, make([]byte, payload), note)
			want := gopacketBlocks(t, f)
			got, err := fileHead("clearspan")
			if err != nil {
				t.Fatal(err)
			}
			head := len(got)
			got = appendPacket(got, &f, 1_800_000_000_123_456_789, note)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("payload %d, note %q (-gopacket +ours):\n%s", payload, note, diff)
			}
			if len(got)-head != packetSize(f.Len(), len(note)) {
				t.Fatalf("block has %d octets, packetSize says %d", len(got)-head, packetSize(f.Len(), len(note)))
			}
		}
	}
}

func gopacketBlocks(t *testing.T, f mirror.Frame) []byte {
	t.Helper()
	var buf bytes.Buffer
	options := pcapgo.DefaultNgWriterOptions
	options.SectionInfo.Application = "clearspan"
	w, err := pcapgo.NewNgWriterInterface(&buf, pcapgo.NgInterface{Name: "clearspan", LinkType: layers.LinkTypeEthernet}, options)
	if err != nil {
		t.Fatal(err)
	}
	info := gopacket.CaptureInfo{Timestamp: unixNano(1_800_000_000_123_456_789), CaptureLength: f.Len(), Length: f.Len()}
	var opts pcapgo.NgPacketOptions
	if f.Note != "" {
		opts.Comments = []string{f.Note}
	}
	if err := w.WritePacketWithOptions(info, octets(f), opts); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func TestTsharkReads(t *testing.T) {
	tshark, dir := tshark(t), t.TempDir()
	s := openSink(t, Config{Directory: dir, Interface: "mirror-a"})
	send(t, s, []mirror.Frame{
		frame(t, 1, nil, "rule r1, ä"),
		frame(t, 1, []byte("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"), ""),
		frame(t, 31, bytes.Repeat([]byte("x"), 1460), strings.Repeat("n", maxComment+9)),
	})
	s.Close()
	out, err := exec.Command(tshark, "-r", filepath.Join(dir, list(t, dir, suffix)[0]),
		"-o", "tcp.check_checksum:TRUE", "-T", "fields", "-E", "separator=|",
		"-e", "frame.interface_name", "-e", "frame.len", "-e", "tcp.checksum.status", "-e", "http.host", "-e", "frame.comment").Output()
	if err != nil {
		t.Fatalf("tshark: %v\n%s", err, out)
	}
	want := []string{
		"mirror-a|54|1||rule r1, ä",
		"mirror-a|86|1|a.test|",
		"mirror-a|1514|1||" + strings.Repeat("n", maxComment),
	}
	if diff := cmp.Diff(want, strings.Split(strings.TrimSpace(string(out)), "\n")); diff != "" {
		t.Errorf("tshark (-want +got):\n%.2000s", diff)
	}
}

// FuzzScan: what scan accepts is a file that gopacket reads to its end with as
// many packets, and cutting it there again changes nothing.
func FuzzScan(f *testing.F) {
	head, err := fileHead("fuzz")
	if err != nil {
		f.Fatal(err)
	}
	fr := mirror.Frame{Header: make([]byte, 55)}
	whole := appendPacket(appendPacket(head, &fr, 1, "note"), &fr, 2, "")
	f.Add(whole)
	f.Add(whole[:len(whole)-3])
	more := appendSecrets(bytes.Clone(whole), []byte("CLIENT_RANDOM 00 11\n"))
	more = appendNames(more, []nameRecord{{netip.MustParseAddr("192.0.2.1"), "a.test"}, {netip.MustParseAddr("2001:db8::1"), "b.test"}})
	f.Add(appendStatistics(more, statistics{time.Unix(1, 0), time.Unix(2, 0), 2, 0}))
	f.Add(whole[:len(head)])
	f.Add(append(bytes.Clone(whole), make([]byte, 64)...))
	f.Add([]byte{})
	f.Add([]byte{0x0a, 0x0d, 0x0d, 0x0a, 0xff, 0xff, 0xff, 0xff, 0x4d, 0x3c, 0x2b, 0x1a})
	lying := bytes.Clone(whole)
	binary.LittleEndian.PutUint32(lying[len(head)+20:], 1<<31)
	f.Add(lying)
	f.Fuzz(func(t *testing.T, file []byte) {
		end, packets, err := scan(bytes.NewReader(file))
		if err != nil {
			t.Fatalf("error from octets alone: %v", err)
		}
		if end < 0 || end > int64(len(file)) || packets > len(file)/packetFixed {
			t.Fatalf("end %d, %d packets of %d octets", end, packets, len(file))
		}
		again, n, err := scan(bytes.NewReader(file[:end]))
		if again != end || n != packets || err != nil {
			t.Fatalf("cut at %d with %d packets, then %d with %d, %v", end, packets, again, n, err)
		}
	})
}
