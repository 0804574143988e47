package recorder_test

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/clearspan/clearspan/appliance/recorder"
	"github.com/clearspan/clearspan/appliance/recorder/trail"
	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/needs"
	"github.com/clearspan/clearspan/hack/tempo"
)

// publicCaptures is where hack/captures.sh puts those of other projects.
const publicCaptures = "/var/lib/clearspan-lab/captures"

// view is what a program sees in a capture.
type view struct {
	frames   int
	sessions int      // of TCP, of which a SYN or an octet was captured
	requests int      // of HTTP/1, in cleartext
	objects  []string // their SHA-256
}

// Reasons why our view of a capture is another one than that of tshark.
const (
	damaged   = "the capture or its frames are damaged, and the two give up at different places"
	otherLink = "frames of this link are counted, and not read"
	labels    = "labels of MPLS within PPP are counted, and not read"
	pieces    = "tshark takes pieces of content, behind a gap or of no HTTP, for objects"
	disorder  = "tshark does not put segments in order, unless it is asked to"
	decrypted = "the capture has the secrets of its sessions with it, and tshark decrypts"
	years     = "years lie between two frames of the same ports: that makes two sessions"
	again     = "the same ports are used again, or a gap looks like it"
	networks  = "each direction has a network of its own, and the sessions are apart"
	cutHeads  = "the capture cut the heads of requests off"
	empty     = "tshark counts answers without content as objects"
)

// otherwise has the captures of which our view is another one.
var otherwise = map[string]string{
	"ndpi/tests/pcap/BGP_Cisco_hdlc_slarp.pcap":                   otherLink,
	"ndpi/tests/pcap/BGP_redist.pcap":                             otherLink,
	"ndpi/tests/pcap/KakaoTalk_chat.pcap":                         pieces,
	"ndpi/tests/pcap/KakaoTalk_talk.pcap":                         pieces,
	"ndpi/tests/pcap/alexa-app.pcapng":                            empty,
	"ndpi/tests/pcap/anydesk.pcap":                                pieces,
	"ndpi/tests/pcap/fuzz-2006-09-29-28586.pcap":                  damaged,
	"ndpi/tests/pcap/fuzz-2021-10-13.pcap":                        damaged,
	"ndpi/tests/pcap/http-crash-content-disposition.pcap":         pieces,
	"ndpi/tests/pcap/instagram.pcap":                              pieces,
	"ndpi/tests/pcap/ip_fragmented_garbage.pcap":                  damaged,
	"ndpi/tests/pcap/kerberos_fuzz.pcapng":                        damaged,
	"ndpi/tests/pcap/malware.pcap":                                pieces,
	"ndpi/tests/pcap/ndpi_match_string_subprotocol__error.pcapng": damaged,
	"ndpi/tests/pcap/netflix.pcap":                                pieces,
	"ndpi/tests/pcap/ookla.pcap":                                  pieces,
	"ndpi/tests/pcap/pps.pcap":                                    pieces,
	"ndpi/tests/pcap/quickplay.pcap":                              pieces,
	"ndpi/tests/pcap/reasm_segv_anon.pcapng":                      pieces,
	"ndpi/tests/pcap/rtsp.pcap":                                   again,
	"ndpi/tests/pcap/vnc.pcap":                                    again,
	"ndpi/tests/pcap/weibo.pcap":                                  pieces,
	"tcpdump/tests/beep-oobr.pcap":                                damaged,
	"tcpdump/tests/bgp-aigp.pcap":                                 otherLink,
	"tcpdump/tests/bgp-bgp_capabilities_print-oobr-1.pcap":        damaged,
	"tcpdump/tests/bgp-bgp_capabilities_print-oobr-2.pcap":        damaged,
	"tcpdump/tests/geneve.pcap":                                   networks,
	"tcpdump/tests/heapoverflow-tcp_print.pcap":                   damaged,
	"tcpdump/tests/ipoib.pcap":                                    otherLink,
	"tcpdump/tests/kday3.pcap":                                    damaged,
	"tcpdump/tests/kday4.pcap":                                    damaged,
	"tcpdump/tests/kday7.pcap":                                    damaged,
	"tcpdump/tests/lspping-fec-ldp.pcap":                          labels,
	"tcpdump/tests/smb_data_print-segv.pcapng":                    years,
	"tcpdump/tests/tcp-auth-heapoverflow.pcap":                    damaged,
	"tcpflow/samplePcaps/jpegs.cap":                               pieces,
	"tcpflow/tests/bug3.pcap":                                     pieces,
	"tcpflow/tests/test1-one-packet.pcap":                         pieces,
	"tcpflow/tests/test1-out-of-order.pcap":                       pieces,
	"tcpflow/tests/test1-part2.pcap":                              pieces,
	"tcpflow/tests/test5-lines-randomized.pcap":                   disorder,
	"tcpflow/tests/test5-lines-randomized2.pcap":                  disorder,
	"wireshark/test/captures/challenge01_ooo_stream.pcapng.gz":    decrypted,
	"wireshark/test/captures/communityid.pcap.gz":                 cutHeads,
	"wireshark/test/captures/http-ooo.pcap":                       disorder,
	"wireshark/test/captures/http-ooo2.pcap":                      disorder,
	"wireshark/test/captures/tcp-badsegments.pcap":                pieces,
	"wireshark/test/captures/wireguard-ping-tcp-dsb.pcapng":       decrypted,
}

// ourView imports a capture.
func ourView(t *testing.T, file string) (v view, err error) {
	t.Helper()
	r := new(rows)
	s, err := recorder.Import(t.Context(), []string{file}, recorder.ImportOptions{Output: r})
	v.frames = int(s.Frames)
	for _, x := range r.Sessions {
		if x.Transport == "tcp" {
			v.sessions++
		}
	}
	for _, e := range r.Events {
		if e.Kind == trail.Request && e.Protocol == "http" && e.Method != "" {
			v.requests++
		}
	}
	for _, x := range r.Sightings {
		v.objects = append(v.objects, x.Hash.String())
	}
	return v, err
}

// itsView has tshark read a capture. The error says that it cannot.
func itsView(t *testing.T, file string) (v view, err error) {
	t.Helper()
	list, err := lab.Fields(t.Context(), file, "frame", "frame.protocols", "tcp.stream", "tcp.len", "tcp.flags.syn", "http.request.method", "http.response.code")
	streams, web := make(map[string]bool), false
	for _, f := range list {
		v.frames++
		if f[1] == "" || strings.Contains(f[0], "icmp") { // quoted in a message of ICMP
			continue
		}
		if f[3] == "1" || strings.Trim(f[2], "0,") != "" {
			streams[f[1]] = true
		}
		web = web || f[4] != "" || f[5] != ""
		if f[4] != "" && !strings.Contains(f[0], "tls") {
			v.requests += 1 + strings.Count(f[4], ",")
		}
	}
	v.sessions = len(streams)
	if !web {
		return v, err
	}
	files, failed := lab.ExportObjects(t.Context(), file, "http", t.TempDir(), "-o", "tcp.check_checksum:FALSE", "-o", "ip.check_checksum:FALSE")
	if failed != nil {
		return v, failed
	}
	for _, name := range files {
		p, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		h := sha256.Sum256(p)
		v.objects = append(v.objects, hex.EncodeToString(h[:]))
	}
	return v, err
}

// compare tells what is different.
func (v *view) compare(t *testing.T, its view) {
	t.Helper()
	for _, n := range []struct {
		what      string
		ours, its int
	}{{"frames", v.frames, its.frames}, {"sessions of TCP", v.sessions, its.sessions}, {"requests", v.requests, its.requests}} {
		if n.ours != n.its {
			t.Errorf("%d %s, tshark has %d", n.ours, n.what, n.its)
		}
	}
	missing := 0
	for _, h := range its.objects {
		if !slices.Contains(v.objects, h) {
			missing++
		}
	}
	if missing > 0 {
		t.Errorf("%d of %d objects of tshark are missing among %d", missing, len(its.objects), len(v.objects))
	}
}

// TestPublicCaptures: captures that others made are read without an error, and the same is
// found in them as by tshark.
func TestPublicCaptures(t *testing.T) {
	if !tempo.Thorough() {
		t.Skip("tshark takes minutes")
	}
	needs.Program(t, "tshark")
	if _, err := os.Stat(publicCaptures); err != nil {
		needs.Missing(t, err, "run hack/captures.sh")
	}
	err := filepath.WalkDir(publicCaptures, func(file string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		name, err := filepath.Rel(publicCaptures, file)
		if err != nil {
			return err
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ours, err := ourView(t, file)
			why := otherwise[name]
			if err != nil && why != damaged {
				t.Error(err)
			}
			if why != "" {
				t.Skip(why)
			}
			its, err := itsView(t, file)
			if err != nil {
				t.Skip(err)
			}
			ours.compare(t, its)
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
