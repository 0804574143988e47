package mirror_test

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"github.com/clearspan/clearspan/mirror"
	"github.com/clearspan/clearspan/mirror/mirrortest"
)

// options of a Linux client and origin.
var (
	synOptions    = []byte{2, 4, 0x05, 0xb4, 4, 2, 8, 10, 0, 0, 0x10, 0, 0, 0, 0, 0, 1, 3, 3, 7}
	synACKOptions = []byte{2, 4, 0x05, 0xa0, 4, 2, 8, 10, 0, 9, 0, 0, 0, 0, 0x10, 0, 1, 3, 3, 9}
)

func TestRealHandshake(t *testing.T) {
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	real := func(client, origin []byte) *mirror.Handshake {
		return &mirror.Handshake{
			Client: mirror.HandshakeSide{ISN: 1<<32 - 5, Window: 64240, Options: client, TTL: 61, Time: start},
			Origin: mirror.HandshakeSide{ISN: 77, Window: 65160, Options: origin, TTL: 57, Time: start.Add(time.Millisecond)},
		}
	}
	var all [][]byte
	for _, tt := range []struct {
		name    string
		h       *mirror.Handshake
		client  string
		stamped bool
		largest int // octets of payload in a segment
		real    bool
	}{
		{"IPv4", real(synOptions, synACKOptions), "198.51.100.2:50001", true, 1440 - 12, true},
		{"IPv6", real(synOptions, synACKOptions), "[2001:db8::2]:50002", true, 1440 - 12, true},
		{"origin has no timestamps", real(synOptions, []byte{2, 4, 0x05, 0xb4}), "198.51.100.2:50003", false, 1460, true},
		{"no options at all", real(nil, nil), "198.51.100.2:50004", false, 536, true},
		{"broken options", real([]byte{2, 40, 1, 1}, nil), "198.51.100.2:50005", true, 1448, false},
		{"options too long", real(make([]byte, 44), nil), "198.51.100.2:50006", true, 1448, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var r mirrortest.Recorder
			origin := "192.0.2.10:443"
			if tt.client[0] == '[' {
				origin = "[2001:db8::10]:443"
			}
			flow := mirror.Flow{Client: netip.MustParseAddrPort(tt.client), Origin: netip.MustParseAddrPort(origin)}
			c := mirror.Open(&r, flow, mirror.Options{Handshake: tt.h})
			sent := bytes.Repeat([]byte("0123456789abcdef"), 1000)
			c.Data(mirror.ClientToOrigin, sent)
			c.Data(mirror.OriginToClient, sent)
			c.Close()
			streams, err := mirrortest.Streams(r.Frames())
			if err != nil || !bytes.Equal(streams[0], sent) || !bytes.Equal(streams[1], sent) {
				t.Fatalf("streams of %d and %d octets, %v", len(streams[0]), len(streams[1]), err)
			}
			all = append(all, r.Frames()...)
			syn := r.Frames()[0]
			tcp := syn[14+20:]
			ttl := syn[14+8]
			if tt.client[0] == '[' {
				tcp, ttl = syn[14+40:], syn[14+7]
			}
			if got := binary.BigEndian.Uint32(tcp[4:]) == 1<<32-5; got != tt.real {
				t.Errorf("real initial sequence number: %v, want %v", got, tt.real)
			}
			if tt.real && (ttl != 61 || binary.BigEndian.Uint16(tcp[14:]) != 64240 || !bytes.Equal(tcp[20:], tt.h.Client.Options)) {
				t.Errorf("SYN has TTL %d and TCP header %x", ttl, tcp)
			}
			var d mirrortest.Decoder
			largest := 0
			for _, f := range r.Frames()[3:] {
				s, err := d.Decode(f)
				if err != nil {
					t.Fatal(err)
				}
				largest = max(largest, len(s.Payload))
			}
			if largest != tt.largest {
				t.Errorf("largest segment has %d octets, want %d", largest, tt.largest)
			}
		})
	}
	if complaints := mirrortest.TsharkComplaints(t, mirrortest.WritePcap(t, all)); len(complaints) > 0 {
		t.Errorf("tshark: %v", complaints)
	}
}
