package watch

import (
	"net/netip"
	"strconv"
	"time"

	"github.com/clearspan/clearspan/appliance/query"
)

// view is a row of a chunk. It is a [query.Row].
type view struct {
	*packed
	words *Words
	rule  string
	names string
}

// octets returns how long the names of a row are.
func (p *packed) octets() (n int) {
	for i, length := range p.lengths {
		if i != 1 || length != sameName {
			n += int(length)
		}
	}
	return n
}

// host, sni, alpn and user are the names of a row.
func (v view) host() string { return v.names[:v.lengths[0]] }

func (v view) sni() string {
	if v.lengths[1] == sameName {
		return v.host()
	}
	from := int(v.lengths[0])
	return v.names[from : from+int(v.lengths[1])]
}

func (v view) alpn() string {
	from := v.octets() - int(v.lengths[3]) - int(v.lengths[2])
	return v.names[from : from+int(v.lengths[2])]
}

func (v view) user() string {
	end := v.octets()
	return v.names[end-int(v.lengths[3]) : end]
}

// row unpacks a row.
func (v view) row() Row {
	r := Row{
		Session: v.session(), State: Ended, Words: *v.words,
		Client: v.Address(query.Client), Origin: v.Address(query.Origin),
		Host: v.host(), SNI: v.sni(), ALPN: v.alpn(), User: v.user(),
		Start: time.Unix(0, v.start).UTC(), Duration: time.Duration(v.duration), Sent: v.sent, Received: v.received, Lost: v.lost,
	}
	r.Rule = v.rule
	return r
}

// session returns the identifier.
func (v view) session() string {
	text := strconv.AppendUint(make([]byte, 0, 32), v.id, 16)
	const zeros = "0000000000000000"
	return zeros[len(text):] + string(text)
}

// Text implements [query.Row].
func (v view) Text(f query.ID) string {
	switch f {
	case query.Session:
		return v.session()
	case query.State:
		return Ended
	case query.Stage:
		return ""
	case query.Host:
		return v.host()
	case query.SNI:
		return v.sni()
	case query.ALPN:
		return v.alpn()
	case query.User:
		return v.user()
	case query.Rule:
		return v.rule
	}
	return v.words.text(f)
}

// Number implements [query.Row].
func (v view) Number(f query.ID) int64 {
	switch f {
	case query.ClientPort:
		return int64(v.clientPort)
	case query.Port:
		return int64(v.originPort)
	case query.Octets:
		return int64(v.sent + v.received)
	case query.Sent:
		return int64(v.sent)
	case query.Received:
		return int64(v.received)
	case query.Lost:
		return int64(v.lost)
	case query.Span:
		return v.duration
	case query.Start:
		return v.start
	case query.End:
		return v.start + v.duration
	}
	return 0
}

// Address implements [query.Row].
func (v view) Address(f query.ID) netip.AddrPort {
	a, port := v.client, v.clientPort
	if f == query.Origin {
		a, port = v.origin, v.originPort
	}
	if a == ([16]byte{}) || f != query.Client && f != query.Origin {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(netip.AddrFrom16(a).Unmap(), port)
}
