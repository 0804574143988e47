package mirror_test

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"testing"

	"github.com/clearspan/clearspan/mirror"
	"github.com/clearspan/clearspan/mirror/conformance"
	"github.com/clearspan/clearspan/mirror/mirrortest"
)

// row is one frame as tshark reads it.
type row struct {
	number, length, stream, flags, payload int
	seq, ack                               uint32
	source, destination                    int // ports
	sourceMAC, destinationMAC              string
	vlan, id, df, mss, scale, sack         string
	tsval, tcpSum, ipSum, dscp             string
}

// tsharkRows reads a capture with tshark, sums verified.
func tsharkRows(t *testing.T, frames [][]byte) (rows []row) {
	t.Helper()
	fields := []string{"frame.number", "frame.len", "tcp.stream", "tcp.flags", "tcp.len", "tcp.seq_raw", "tcp.ack_raw", "tcp.srcport", "tcp.dstport",
		"eth.src", "eth.dst", "vlan.id", "ip.id", "ip.flags.df", "tcp.options.mss_val", "tcp.options.wscale.shift", "tcp.options.sack_perm",
		"tcp.options.timestamp.tsval", "tcp.checksum.status", "ip.checksum.status", "ip.dsfield.dscp", "ipv6.tclass.dscp"}
	args := []string{"-n", "-r", mirrortest.WritePcap(t, frames), "-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE", "-T", "fields"}
	for _, f := range fields {
		args = append(args, "-e", f)
	}
	for line := range strings.Lines(mirrortest.Tool(t, "", "tshark", args...)) {
		v := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(v) != len(fields) {
			t.Fatalf("tshark printed %q", line)
		}
		n := make([]int, 9)
		for i := range n {
			number, err := strconv.ParseInt(v[i], 0, 64)
			if err != nil {
				t.Fatalf("%s is %q", fields[i], v[i])
			}
			n[i] = int(number)
		}
		rows = append(rows, row{n[0], n[1], n[2], n[3], n[4], uint32(n[5]), uint32(n[6]), n[7], n[8],
			v[9], v[10], v[11], v[12], v[13], v[14], v[15], v[16], v[17], v[18], v[19], v[20] + v[21]})
	}
	if len(rows) != len(frames) {
		t.Fatalf("tshark read %d of %d frames", len(rows), len(frames))
	}
	return rows
}

// shapes are those in which each rule of a recorder-ready feed must hold.
var shapes = []struct {
	name string
	flow mirror.Flow
	vlan uint16
}{{"IPv4", flow4, 0}, {"IPv6", flow6, 0}, {"IPv4 VLAN", flow4, 4094}, {"IPv6 VLAN", flow6, 1}}

// endings are how sessions end.
var endings = []struct {
	name string
	end  func(*mirror.Conversation)
	tail string // flags of the last frames
}{
	{"close", func(c *mirror.Conversation) { c.Close() }, "FIN FIN ACK"},
	{"client first", func(c *mirror.Conversation) { c.End(toOrigin); c.Close() }, "FIN FIN ACK"},
	{"origin first", func(c *mirror.Conversation) { c.End(toClient); c.Close() }, "FIN FIN ACK"},
	{"reset by client", func(c *mirror.Conversation) { c.Reset(toOrigin) }, "RST"},
	{"reset by origin", func(c *mirror.Conversation) { c.Reset(toClient) }, "RST"},
}

// shown keeps what tshark read of each shape, by name: the tests of the rules
// share it.
var shown = map[string][][]row{}

// inEveryShape shows sessions with every ending, each on a port of its own, and
// has tshark read them.
func inEveryShape(t *testing.T, judge func(t *testing.T, vlan uint16, streams [][]row)) {
	for _, shape := range shapes {
		t.Run(shape.name, func(t *testing.T) {
			if shown[shape.name] == nil {
				shown[shape.name] = show(t, shape.flow, shape.vlan)
			}
			judge(t, shape.vlan, shown[shape.name])
		})
	}
}

func show(t *testing.T, flow mirror.Flow, vlan uint16) [][]row {
	t.Helper()
	recorder := &mirrortest.Recorder{}
	for i, ending := range endings {
		flow.Client = netip.AddrPortFrom(flow.Client.Addr(), uint16(50000+i))
		c := mirror.Open(recorder, flow, mirror.Options{Mark: mirror.Mark{VLAN: vlan}})
		exchange(c)
		ending.end(c)
	}
	streams := make([][]row, len(endings))
	for _, r := range tsharkRows(t, recorder.Frames()) {
		streams[r.stream] = append(streams[r.stream], r)
	}
	return streams
}

// each calls judge for every frame.
func each(streams [][]row, judge func(r row)) {
	for _, stream := range streams {
		for _, r := range stream {
			judge(r)
		}
	}
}

const (
	flagFIN, flagSYN, flagRST, flagPSH, flagACK = 1, 2, 4, 8, 16
)

func TestRule1WholeConnection(t *testing.T) {
	inEveryShape(t, func(t *testing.T, _ uint16, streams [][]row) {
		for i, stream := range streams {
			if stream[0].flags != flagSYN || stream[1].flags != flagSYN|flagACK || stream[2].flags != flagACK || stream[2].payload != 0 {
				t.Errorf("%s: begins with %+v", endings[i].name, stream[:3])
			}
			var tail []string
			for _, r := range stream[3:] {
				switch {
				case r.flags&flagFIN != 0:
					tail = append(tail, "FIN")
				case r.flags&flagRST != 0:
					tail = append(tail, "RST")
				case len(tail) > 0 && r.payload == 0:
					tail = append(tail, "ACK")
				case len(tail) > 0:
					t.Errorf("%s: data after %v", endings[i].name, tail)
				}
			}
			// An ACK between the two FINs is allowed.
			if got := strings.Join(tail, " "); got != endings[i].tail && got != strings.Replace(endings[i].tail, "FIN FIN", "FIN ACK FIN", 1) {
				t.Errorf("%s: ends with %s, want %s", endings[i].name, got, endings[i].tail)
			}
		}
	})
}

func TestRule2Checksums(t *testing.T) {
	inEveryShape(t, func(t *testing.T, _ uint16, streams [][]row) {
		each(streams, func(r row) {
			if v4 := r.id != ""; r.tcpSum != "1" || v4 && r.ipSum != "1" {
				t.Fatalf("frame %d: TCP sum %q, IPv4 sum %q, want 1: good", r.number, r.tcpSum, r.ipSum)
			}
		})
	})
}

func TestRule3NoAckBeforeItsData(t *testing.T) {
	inEveryShape(t, func(t *testing.T, _ uint16, streams [][]row) {
		for _, stream := range streams {
			var next, acked [2]uint32 // by sender
			for i, r := range stream {
				dir := 0
				if r.source != stream[0].source {
					dir = 1
				}
				end := r.seq + uint32(r.payload)
				if r.flags&(flagSYN|flagFIN) != 0 {
					end++
				}
				next[dir] = end
				if i == 0 {
					continue
				}
				if int32(r.ack-next[1-dir]) > 0 {
					t.Fatalf("frame %d acknowledges %d octets that come later", r.number, r.ack-next[1-dir])
				}
				acked[1-dir] = r.ack
				if out := next[dir] - acked[dir]; i > 2 && out > 64<<10 {
					t.Fatalf("frame %d: %d octets unacknowledged", r.number, out)
				}
			}
		}
	})
}

func TestRule4SizesAndOptions(t *testing.T) {
	inEveryShape(t, func(t *testing.T, vlan uint16, streams [][]row) {
		each(streams, func(r row) {
			header, mss := 14, "1460"
			if vlan != 0 {
				header = 18
			}
			if r.id == "" {
				mss = "1440"
			}
			syn := r.flags&flagSYN != 0
			if r.length > header+1500 || r.length < 60 || r.tsval == "" {
				t.Fatalf("frame %d: %d octets, timestamp %q", r.number, r.length, r.tsval)
			}
			if syn != (r.mss == mss && r.scale == "1" && r.sack != "") || !syn && r.mss+r.scale+r.sack != "" {
				t.Fatalf("frame %d: options %+v", r.number, r)
			}
		})
	})
}

func TestRule5CountersAndPSH(t *testing.T) {
	inEveryShape(t, func(t *testing.T, _ uint16, streams [][]row) {
		for _, stream := range streams {
			last := map[int]int64{}
			pushed := 0
			for _, r := range stream {
				if r.flags&flagPSH != 0 {
					pushed++
				}
				if r.id == "" {
					continue
				}
				id, err := strconv.ParseInt(r.id, 0, 32)
				if before, ok := last[r.source]; err != nil || ok && id != (before+1)&0xffff {
					t.Fatalf("frame %d: identification %s after %#x", r.number, r.id, before)
				}
				last[r.source] = id
				if r.df != "1" {
					t.Fatalf("frame %d: DF %s", r.number, r.df)
				}
			}
			if pushed != 25 { // calls of Data in exchange
				t.Errorf("PSH on %d segments, want 25", pushed)
			}
		}
	})
}

func TestRule6MACs(t *testing.T) {
	inEveryShape(t, func(t *testing.T, _ uint16, streams [][]row) {
		each(streams, func(r row) {
			for _, mac := range []string{r.sourceMAC, r.destinationMAC} {
				first, err := strconv.ParseUint(mac[:2], 16, 8)
				if err != nil || first&3 != 2 || strings.HasPrefix(mac, "02:00:00:00") {
					t.Fatalf("frame %d: address %s is not a local unicast one, or looks like a loopback header", r.number, mac)
				}
			}
		})
	})
	flow := flow4
	flow.ClientMAC, flow.OriginMAC = [6]byte{0, 1, 2, 3, 4, 5}, [6]byte{0, 6, 7, 8, 9, 10}
	recorder := &mirrortest.Recorder{}
	mirror.Open(recorder, flow, mirror.Options{}).Close()
	if r := tsharkRows(t, recorder.Frames())[0]; r.sourceMAC != "00:01:02:03:04:05" || r.destinationMAC != "00:06:07:08:09:0a" {
		t.Errorf("true addresses are shown as %s and %s", r.sourceMAC, r.destinationMAC)
	}
}

// TestRule7Ports also holds rule 9 as far as it is kept here: HTTP/2 as it is, on
// a port where it is read.
func TestRule7Ports(t *testing.T) {
	for _, shape := range shapes {
		t.Run(shape.name, func(t *testing.T) {
			for _, tt := range []struct {
				port, want uint16
				alpn       string
				ports      mirror.PortMap
			}{
				{443, 443, "http/1.1", nil}, {443, 80, "h2", nil}, {465, 25, "", nil}, {993, 143, "", nil}, {995, 110, "", nil}, {990, 21, "", nil}, {853, 53, "", nil}, {636, 389, "", nil},
				{465, 465, "", mirror.KeepPorts}, {443, 443, "h2", mirror.KeepPorts}, {465, 2525, "", mirror.MapPorts(map[uint16]uint16{465: 2525})},
			} {
				recorder := &mirrortest.Recorder{}
				flow := shape.flow
				flow.Origin = netip.AddrPortFrom(flow.Origin.Addr(), tt.port)
				mirror.Open(recorder, flow, mirror.Options{Protocol: tt.alpn, Ports: tt.ports, Mark: mirror.Mark{VLAN: shape.vlan}}).Close()
				for _, s := range decode(t, recorder.Frames()) {
					if s.Source.Port() != tt.want && s.Destination.Port() != tt.want {
						t.Errorf("%d %s is shown as %v > %v, want %d", tt.port, tt.alpn, s.Source, s.Destination, tt.want)
					}
				}
			}
		})
	}
}

func TestRule10Marks(t *testing.T) {
	for _, shape := range shapes {
		t.Run(shape.name, func(t *testing.T) {
			recorder := &mirrortest.Recorder{}
			mark := mirror.Mark{VLAN: 99, SourceMAC: [6]byte{0x0e, 1, 1, 1, 1, 1}, DSCP: 33}
			c := mirror.Open(recorder, shape.flow, mirror.Options{Mark: mark})
			exchange(c)
			c.Close()
			for _, r := range tsharkRows(t, recorder.Frames()) {
				if r.vlan != "99" || r.sourceMAC != "0e:01:01:01:01:01" || r.dscp != "33" {
					t.Fatalf("frame %d: VLAN %s, source %s, DSCP %s", r.number, r.vlan, r.sourceMAC, r.dscp)
				}
			}
			if r := mirrortest.Conform(recorder.Frames()); !r.Ready {
				t.Error(r.Verdict())
			}
		})
	}
}

func TestRule12TrueGaps(t *testing.T) {
	for _, shape := range shapes {
		t.Run(shape.name, func(t *testing.T) {
			recorder := &mirrortest.Recorder{}
			c := mirror.Open(recorder, shape.flow, mirror.Options{Mark: mirror.Mark{VLAN: shape.vlan}})
			c.Data(toOrigin, random(100))
			for _, n := range []uint64{1, 1448, 1 << 20} {
				c.Skip(toClient, n, "late")
				c.Data(toClient, random(5000))
			}
			c.Close()
			r := mirrortest.Conform(recorder.Frames())
			if want := uint64(1 + 1448 + 1<<20); r.Missing != want || fmt.Sprint(r.Broken(conformance.Fail)) != "[gap]" {
				t.Errorf("%d octets missing, want %d; broken: %v", r.Missing, want, r.Broken(conformance.Fail))
			}
			lost := 0
			for _, line := range mirrortest.TsharkComplaints(t, mirrortest.WritePcap(t, recorder.Frames())) {
				if strings.Contains(line, "Previous segment(s) not captured") {
					lost++
				}
			}
			if lost != 3 {
				t.Errorf("tshark noticed %d gaps, want 3", lost)
			}
		})
	}
}
