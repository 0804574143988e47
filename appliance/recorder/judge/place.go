package judge

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/clearspan/clearspan/appliance/recorder/trail"
)

// place is where something goes to.
type place struct {
	side    string // Outside or Inside; "": one of the following
	domain  string // of mail
	host    string // pattern
	network netip.Prefix
}

func parsePlace(text string) (p place, err error) {
	switch {
	case text == Outside || text == Inside:
		p.side = text
	case strings.HasPrefix(text, "@") && len(text) > 1:
		p.domain = strings.ToLower(text[1:])
	case strings.Contains(text, "/"):
		p.network, err = network(text)
	case text == "" || strings.ContainsAny(text, "@ "):
		return p, fmt.Errorf("%q is no destination: want outside, inside, a network, a host or @domain", text)
	default:
		if p.network, err = network(text); err != nil {
			p.host, err = text, nil
		}
	}
	return p, err
}

// target is where the data of an event go to.
type target struct {
	address netip.Addr
	host    string
	domains []string // of the recipients of mail
}

// targetOf returns where what is sent, or received, goes to.
func targetOf(e *trail.Event, d trail.Direction) (t target) {
	if d == trail.Received {
		return target{address: e.Client.Addr()}
	}
	t.address, t.host = e.Server.Addr(), e.Host
	if e.Kind != trail.Mail || e.Method != "send" {
		return t
	}
	// The envelope says to whom it goes, and only without one, the header.
	envelope := false
	for _, p := range e.Parties {
		envelope = envelope || p.Role == trail.Recipient
	}
	for _, p := range e.Parties {
		if p.Role == trail.Recipient || !envelope && p.Role != trail.From {
			t.domains = append(t.domains, domainOf(p.Address))
		}
	}
	return t
}

func domainOf(address string) string {
	return strings.ToLower(strings.TrimSuffix(address[strings.LastIndexByte(address, '@')+1:], "."))
}

// goesTo reports whether the data go to a place. Mail goes to several at once.
func (j *Judge) goesTo(t target, p place) bool {
	switch {
	case p.side == Outside:
		return j.leaves(t)
	case p.side == Inside:
		return !j.leaves(t)
	case p.domain != "":
		for _, d := range t.domains {
			if within(d, p.domain) {
				return true
			}
		}
		return false
	case p.host != "":
		return t.host != "" && matches(p.host, t.host)
	}
	return p.network.Contains(t.address.Unmap().WithZone(""))
}

// leaves reports whether data go outside. Mail does if one of its recipients is not in a
// domain of the list: the next server may be inside, and tells nothing.
func (j *Judge) leaves(t target) bool {
	for _, d := range t.domains {
		if !j.ours(d) {
			return true
		}
	}
	return len(t.domains) == 0 && !holds(j.networks, t.address)
}

func (j *Judge) ours(domain string) bool {
	for _, d := range j.domains {
		if within(domain, d) {
			return true
		}
	}
	return false
}

// within reports whether a domain is the one of a list, or below it if that begins with *.
func within(domain, listed string) bool {
	if below, ok := strings.CutPrefix(listed, "*."); ok {
		return domain == below || strings.HasSuffix(domain, "."+below)
	}
	return domain == listed
}

// matches compares without regard to case. A * stands for any characters.
func matches(pattern, text string) bool {
	parts := strings.Split(strings.ToLower(pattern), "*")
	text = strings.ToLower(text)
	if len(parts) == 1 {
		return text == parts[0]
	}
	last := len(parts) - 1
	rest, ok := strings.CutPrefix(text, parts[0])
	if !ok {
		return false
	}
	for _, p := range parts[1:last] {
		i := strings.Index(rest, p)
		if i < 0 {
			return false
		}
		rest = rest[i+len(p):]
	}
	return strings.HasSuffix(rest, parts[last])
}
