package icap

import (
	"encoding/base64"
	"fmt"
	"net/netip"
	"strconv"
)

// request is an ICAP request up to its body.
type request struct {
	head []byte // ICAP header and encapsulated headers
	own  []byte // header block of the message itself, as the server sees it
	hop  []byte // fields of it that the server does not see
}

// compose renders the request for m (RFC 3507, Section 4.3). preview is -1
// without one. Nothing of m but its header blocks, whose length is told, reaches
// the octets unchecked.
func (c *Client) compose(e *endpoint, m *Message, empty bool, preview int, allow string) (*request, error) {
	r := new(request)
	var sections [2][]byte
	var names [2]part
	n := 0
	add := func(p part, header []byte) error {
		shown, hop, err := split(header)
		if err != nil {
			return fmt.Errorf("compose %s: %s: %w", m.Method.method(), p, err)
		}
		r.own, r.hop = shown, hop
		sections[n], names[n] = shown, p
		n++
		return nil
	}
	body := reqBody
	if m.Method == REQMOD || m.Request != nil {
		if err := add(reqHdr, m.Request); err != nil {
			return nil, err
		}
	}
	if m.Method == RESPMOD {
		body = resBody
		if err := add(resHdr, m.Response); err != nil {
			return nil, err
		}
	}
	if empty {
		body = nullBody
	}

	b := make([]byte, 0, 512+len(sections[0])+len(sections[1]))
	b = fmt.Appendf(b, "%s %s ICAP/1.0\r\nHost: %s\r\n", m.Method.method(), e.uri, e.host)
	if allow != "" {
		b = fmt.Appendf(b, "Allow: %s\r\n", allow)
	}
	if preview >= 0 {
		b = fmt.Appendf(b, "Preview: %d\r\n", preview)
	}
	b = c.cfg.appendFacts(b, m)
	b = append(b, "Encapsulated: "...)
	at := 0
	for i := range n {
		b = fmt.Appendf(b, "%s=%d, ", names[i], at)
		at += len(sections[i])
	}
	b = fmt.Appendf(b, "%s=%d\r\n\r\n", body, at)
	b = append(b, sections[0]...)
	r.head = append(b, sections[1]...)
	return r, nil
}

// appendFacts adds the fields that tell of the message's ends.
func (c *Config) appendFacts(b []byte, m *Message) []byte {
	for _, f := range c.Tell {
		client, server := m.Client.Addr(), m.Server.Addr()
		switch port := m.Client.Port(); {
		case f == ClientIP && client.IsValid():
			b = appendAddr(b, "X-Client-IP", client)
		case f == ClientPort && port != 0:
			b = append(b, "X-Client-Port: "...)
			b = append(strconv.AppendUint(b, uint64(port), 10), "\r\n"...)
		case f == ServerIP && server.IsValid():
			b = appendAddr(b, "X-Server-IP", server)
		case f == User && m.User != "" && !c.PlainUser:
			b = append(b, "X-Authenticated-User: "...)
			b = append(base64.StdEncoding.AppendEncode(b, []byte("Local://"+m.User)), "\r\n"...)
		case f == User && m.User != "" && isPrintable(m.User):
			b = append(append(append(b, "X-Authenticated-User: "...), m.User...), "\r\n"...)
		}
	}
	return b
}

func appendAddr(b []byte, name string, a netip.Addr) []byte {
	b = append(append(b, name...), ": "...)
	return append(a.Unmap().WithZone("").AppendTo(b), "\r\n"...)
}

// isPrintable reports whether s is printable ASCII that can stand in a field.
func isPrintable(s string) bool {
	for _, c := range []byte(s) {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return true
}

// chunkRoom is what a chunk takes beside its content: size and CRLF before, CRLF
// behind.
const (
	chunkBefore = 10
	chunkAfter  = 2
)

// lastChunk ends a body; ieof tells besides that a preview is all there is (RFC
// 3507, Section 4.5).
const (
	lastChunk = "0\r\n\r\n"
	ieof      = "0; ieof\r\n\r\n"
)

// frameChunk makes a chunk of the n octets that stand in buf from chunkBefore on.
// The result is a part of buf, which has room for it.
func frameChunk(buf []byte, n int) []byte {
	var size [chunkBefore]byte
	s := append(strconv.AppendUint(size[:0], uint64(n), 16), "\r\n"...)
	from := chunkBefore - len(s)
	copy(buf[from:], s)
	copy(buf[chunkBefore+n:], "\r\n")
	return buf[from : chunkBefore+n+chunkAfter]
}
