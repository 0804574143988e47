package feed

import (
	"cmp"

	"github.com/clearspan/clearspan/decrypt"
	"github.com/clearspan/clearspan/decrypt/sniff"
)

// maxHeld bounds the octets of a session that wait until they tell the protocol.
const maxHeld = 1024

// opening holds the first octets of a session until they tell the protocol, by which
// the port is chosen that recorders see. The zero value is ready.
type opening struct {
	heads  [2][]byte
	pieces []piece
}

// piece is a run of octets that were handed over together.
type piece struct {
	dir     decrypt.Direction
	content decrypt.Content
	octets  int
}

// hold takes a copy of octets, and returns their protocol once it is known. With more,
// further octets may tell.
func (o *opening) hold(dir decrypt.Direction, content decrypt.Content, p []byte) (protocol string, more bool) {
	o.heads[dir] = append(o.heads[dir], p...)
	o.pieces = append(o.pieces, piece{dir, content, len(p)})
	name, more := sniff.Cleartext(o.heads[decrypt.ClientToOrigin], o.heads[decrypt.OriginToClient])
	return wordOf(name), more && len(o.heads[0])+len(o.heads[1]) < maxHeld
}

// release hands over what is held, in order, and holds nothing any more.
func (o *opening) release(show func(dir decrypt.Direction, content decrypt.Content, p []byte)) {
	held := *o
	*o = opening{}
	for _, p := range held.pieces {
		octets := held.heads[p.dir][:p.octets]
		held.heads[p.dir] = held.heads[p.dir][p.octets:]
		show(p.dir, p.content, octets)
	}
}

// protocolOf returns the protocol of what a session is about to show, as far as it is
// known before its octets are: by TLS, which is not opened, by what both ends agreed on,
// or by the dialogue. The words are those of [mirror.PortMap].
func protocolOf(s *decrypt.Session, content decrypt.Content) string {
	switch {
	case content == decrypt.Tunneled:
		return "tls"
	case content == decrypt.Decrypted && s.ALPN != "":
		return cmp.Or(negotiated[s.ALPN], s.ALPN)
	case s.Protocol == "tls":
		return "" // within it
	}
	return wordOf(s.Protocol)
}

// wordOf returns the word of a mirror for a protocol that was recognised.
func wordOf(name string) string { return cmp.Or(recognized[name], name) }

var recognized = map[string]string{"http": "http/1.1", "http2": "h2", "dns": "dot"}

// negotiated are words of ALPN for protocols that have another one.
var negotiated = map[string]string{
	"http/1.0": "http/1.1", "http/0.9": "http/1.1", "h2c": "h2", "sip/2": "sip",
	"xmpp-client": "xmpp", "xmpp-server": "xmpp",
}
