package decrypt

import (
	"github.com/clearspan/clearspan/decrypt/proto/http1"
	"github.com/clearspan/clearspan/decrypt/sniff"
	"github.com/clearspan/clearspan/decrypt/starttls"
)

// awaits looks at the first words of either side. It reports whether more octets are
// needed.
func (d *dialogue) awaits(dir Direction, p []byte, ended bool) bool {
	switch {
	case len(p) == 0 || d.heard[dir] || d.session.data != nil:
		return false
	case dir == OriginToClient:
		return d.greets(p, ended)
	case d.keeps:
		d.keeps = false
		d.session.origin.Poke()
	}
	return d.told != sniff.Unknown && d.answers(p, ended)
}

// greets takes note of the protocol that a greeting tells. It reports whether the client
// waits for more of it.
func (d *dialogue) greets(p []byte, ended bool) bool {
	proto, more := sniff.Origin(p)
	if d.heard[ClientToOrigin] {
		return false
	}
	if d.keeps = more && !ended && len(p) > 1; d.keeps { // one octet may begin a packet's length, or be all
		return true
	}
	if d.proto == sniff.Unknown {
		d.proto = proto
	}
	d.told = d.proto
	return false
}

// maxAnswer is how many octets of a client's first line are waited for: as many as the
// dialogue keeps of a line.
const maxAnswer = 4 << 10

// answers looks whether the client's first words fit what the greeting told. If they do
// not, the dialogue strays. It reports whether more octets are needed.
func (d *dialogue) answers(p []byte, ended bool) bool {
	var fits, more bool
	switch d.told {
	case sniff.SMTP, sniff.IMAP, sniff.POP3:
		fits, more = sniff.Continues(d.told, p)
	default:
		fits, more = sniff.Fits(d.told, ClientToOrigin, p)
	}
	request, open := false, false
	if d.told != sniff.MySQL { // a packet's length may look like anything
		request, open = http1.Recognize(p)
	}
	switch {
	case request, !fits && (!more || ended), !fits && len(p) >= maxAnswer && d.told != sniff.MySQL:
		d.stray(p)
	case fits && !open, ended, len(p) >= maxAnswer:
	default:
		return true
	}
	return false
}

// stray has the dialogue be one of HTTP, or unknown: the client says p, which is nothing
// of the protocol that was told. The policy is to be asked again.
func (d *dialogue) stray(p []byte) {
	d.proto = sniff.Unknown
	if proto, _ := sniff.Client(p); proto == sniff.HTTP || proto == sniff.HTTP2 {
		d.proto = proto
	}
	find := map[sniff.Protocol]func([]byte) (string, bool, bool){sniff.HTTP: sniff.Host, sniff.HTTP2: sniff.Authority}[d.proto]
	if find != nil {
		d.session.account.Host, d.session.doubt, _ = find(p)
	}
	d.follower, d.told, d.strays = nil, sniff.Unknown, true
}

// abandon goes on with a dialogue whose client has said n octets of p, and behind them
// what is no command: by way of services, or of who judges requests, else as it is.
func (d *dialogue) abandon(p []byte, n int) (int, starttls.State) {
	switch {
	case d.refused:
		return n, starttls.Upgraded
	case d.leave():
		return n, starttls.Upgraded
	case d.yield():
		d.session.origin.Poke()
		return n, starttls.Upgraded
	}
	d.spans = append(d.spans, starttls.Span{N: len(p) - n})
	return len(p), starttls.Done
}

// goesOn reports whether the origin goes on behind a greeting that tells no protocol,
// while the client is silent.
func (d *dialogue) goesOn(dir Direction, p []byte) bool {
	return dir == OriginToClient && len(p) > 0 && d.heard[OriginToClient] && !d.heard[ClientToOrigin] && d.follower == nil && d.proto == sniff.Unknown
}
