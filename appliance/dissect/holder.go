package dissect

import (
	"encoding/hex"
	"strings"

	"github.com/clearspan/clearspan/decrypt/proto"
	"github.com/clearspan/clearspan/decrypt/proto/dhcp"
	"github.com/clearspan/clearspan/decrypt/proto/radius"
)

// holderReader reads datagrams that say who has an address: DHCP (RFC 2131), and RADIUS
// accounting (RFC 2866). Each stands for itself, and either end may send it.
type holderReader struct{ s *Session }

func (x *holderReader) data(proto.Direction, []byte) Cause { return reading }

func (x *holderReader) gap(proto.Direction, uint64) Cause { return reading }

func (x *holderReader) end(proto.Direction) {}

func (x *holderReader) close(Ending) {}

// datagram returns the word for the protocol of a datagram; "" for another one.
func (x *holderReader) datagram(p []byte) string {
	if dhcp.Is(p) {
		if m, ok := dhcp.Parse(p); ok && (m.Type == dhcp.Request || m.Type == dhcp.Grant) {
			x.tell(Holder{Source: "dhcp", Address: m.Address, MAC: macText(m.MAC[:]), Host: m.Host, Seconds: m.Seconds, Asked: m.Type == dhcp.Request})
		}
		return "dhcp"
	}
	if a, ok := radius.Parse(p); ok {
		if a.Address.IsValid() && !a.Stop {
			x.tell(Holder{Source: "radius", Address: a.Address, MAC: stationText(a.Station), User: a.User})
		}
		return "radius"
	}
	return ""
}

func (x *holderReader) tell(h Holder) {
	x.s.event().holder = h
	x.s.sink.Event(&x.s.event().holder)
}

// macText writes an address of Ethernet, such as 02:00:00:00:00:07.
func macText(mac []byte) string {
	parts := make([]string, len(mac))
	for i := range mac {
		parts[i] = hex.EncodeToString(mac[i : i+1])
	}
	return strings.Join(parts, ":")
}

// stationText writes a station in the same way, if it is an address of Ethernet. A name of the
// network may follow it.
func stationText(station string) string {
	digits := strings.Map(func(r rune) rune {
		if r == '-' || r == ':' || r == '.' {
			return -1
		}
		return r
	}, station)
	mac, err := hex.DecodeString(digits[:min(len(digits), 12)])
	if err != nil || len(mac) != 6 {
		return ""
	}
	return macText(mac)
}
