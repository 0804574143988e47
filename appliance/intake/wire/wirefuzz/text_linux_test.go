package wirefuzz

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"net"
	"slices"
	"strings"

	"github.com/clearspan/clearspan/decrypt/clienthello"
)

// Server names of the hellos. All are of one length, so that all hellos are, and
// differ in one octet or two.
const (
	evilName = "evil.test" // terminated by the hook
	bankName = "bank.test" // tunneled
	bumpName = "bump.test" // taken and relayed
	harmName = "harm.test" // tunneled; only ever sent in damaged segments
)

// texts are what segments carry, by name. The hellos of one kind have the same length.
var texts = map[string][]byte{
	"evil": helloFor(evilName), "bank": helloFor(bankName), "bump": helloFor(bumpName), "harm": helloFor(harmName),
	"evil2": records(helloFor(evilName)), "bank2": records(helloFor(bankName)), "bump2": records(helloFor(bumpName)),
	"evil9": helloFor(evilName, padding), "bank9": helloFor(bankName, padding), "bump9": helloFor(bumpName, padding),
	"evil99": helloFor(evilName, padding, padding, padding), // nearly the longest record
	"plain":  []byte("no handshake of TLS, just a few words and an end of line\r\n"),
	"zero":   make([]byte, 64),
	"word":   []byte("x"),
	"":       nil,
}

// padding makes a hello longer than a segment: protocols of applications.
var padding = slices.Repeat([]string{strings.Repeat("protocol", 25)}, 20)

// seized is a connection that keeps the first flight of a client.
type seized struct {
	net.Conn
	flight []byte
}

func (s *seized) Write(b []byte) (int, error) {
	s.flight = append(s.flight, b...)
	return len(b), nil
}

func (s *seized) Read([]byte) (int, error) { return 0, net.ErrClosed }

// helloFor returns a hello of crypto/tls. Those of all names are the same but for the
// name.
func helloFor(name string, protocols ...[]string) []byte {
	s := new(seized)
	_ = tls.Client(s, &tls.Config{
		ServerName: name, Rand: constant{}, CurvePreferences: []tls.CurveID{tls.X25519}, MaxVersion: tls.VersionTLS12,
		NextProtos: slices.Concat(protocols...),
	}).Handshake()
	return s.flight
}

// constant is no source of randomness.
type constant struct{}

func (constant) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 7
	}
	return len(b), nil
}

// records cuts the one record of a hello into three, the second amid the name.
func records(hello []byte) (all []byte) {
	header, body := hello[:3], hello[5:]
	at := bytes.Index(body, []byte(".test")) - 1
	for _, part := range [][]byte{body[:2], body[2:at], body[at:]} {
		all = append(all, header...)
		all = binary.BigEndian.AppendUint16(all, uint16(len(part)))
		all = append(all, part...)
	}
	return all
}

// nameIn returns the server name of the hello that octets begin with.
func nameIn(octets []byte) string {
	hello, _, err := clienthello.Parse(octets)
	if err != nil {
		return ""
	}
	return hello.ServerName
}
