package conformance

import (
	"bytes"
	"fmt"

	"github.com/clearspan/clearspan/mirror/internal/dissector"
)

// spoken is a protocol that is told by the first octets of a direction.
type spoken struct {
	word   string // of [dissector.ReaderOf]
	name   string // for people
	begins []string
}

// clients are told by what the client says first, origins by a greeting. Words end in a
// blank or a line end where they stand for a whole word.
var (
	clients = []spoken{
		{"mqtt", "MQTT", nil}, // see isMQTT
		{"amqp", "AMQP", []string{"AMQP"}},
		{"smtp", "SMTP", []string{"EHLO ", "HELO ", "LHLO "}},
		{"ftp", "FTP", []string{"USER ", "AUTH TLS", "FEAT\r", "SYST\r"}},
		{"irc", "IRC", []string{"NICK ", "CAP LS", "CAP REQ"}},
		{"xmpp", "XMPP", []string{"<?xml version='1.0'?><str", "<stream:stream"}},
		{"redis", "Redis", []string{"*1\r\n$", "*2\r\n$", "*3\r\n$", "*4\r\n$", "*5\r\n$", "*6\r\n$"}},
		{"sip", "SIP", []string{"REGISTER sip:", "INVITE sip:", "OPTIONS sip:", "REGISTER sips:", "INVITE sips:", "OPTIONS sips:"}},
		{"rtsp", "RTSP", []string{"OPTIONS rtsp:", "DESCRIBE rtsp:", "OPTIONS rtsps:", "DESCRIBE rtsps:"}},
		{"postgresql", "PostgreSQL", nil}, // see isPostgreSQL
		{"ldap", "LDAP", nil},             // see isLDAP
	}
	origins = []spoken{
		{"imap", "IMAP", []string{"* OK ", "* PREAUTH ", "* BYE "}},
		{"pop3", "POP3", []string{"+OK ", "+OK\r"}},
		{"nntp", "NNTP", []string{"200 ", "201 "}},
		{"ssh", "SSH", []string{"SSH-"}},
		{"vnc", "VNC", []string{"RFB 00"}},
		{"mysql", "MySQL", nil}, // see isMySQL
	}
)

// names the protocol of a conversation, as far as its first octets tell.
func speech(client, origin *stream) (spoken, bool) {
	switch {
	case client.speaks() == http2:
		return spoken{word: "h2", name: "HTTP/2"}, true
	case bytes.Contains(client.head[:client.n], []byte(" sip")), bytes.Contains(client.head[:client.n], []byte(" rtsp")):
	case client.speaks() == http1 || origin.speaks() == http1:
		return spoken{word: "http/1.1", name: "HTTP/1"}, true
	}
	if s, ok := told(origins, origin.head[:origin.n]); ok && client.at.frame != 0 && origin.at.frame < client.at.frame || ok && client.n == 0 {
		return s, true
	}
	return told(clients, client.head[:client.n])
}

// told returns the protocol that octets begin.
func told(list []spoken, head []byte) (spoken, bool) {
	for _, s := range list {
		for _, word := range s.begins {
			if len(head) > 0 && bytes.HasPrefix(head, []byte(word)[:min(len(word), len(stream{}.head))]) {
				return s, true
			}
		}
		if test := binaries[s.word]; test != nil && test(head) {
			return s, true
		}
	}
	return spoken{}, false
}

// binaries tell protocols that do not begin with a word.
var binaries = map[string]func(head []byte) bool{
	"mqtt": func(h []byte) bool { // MQTT 5.0, Section 3.1
		return len(h) > 8 && h[0] == 0x10 && (bytes.Contains(h[2:min(len(h), 14)], []byte("\x00\x04MQTT")) || bytes.Contains(h[2:min(len(h), 14)], []byte("\x00\x06MQIsdp")))
	},
	"postgresql": func(h []byte) bool {
		return len(h) >= 8 && h[0] == 0 && h[1] == 0 && string(h[4:8]) == "\x00\x03\x00\x00"
	},
	"ldap": func(h []byte) bool { // RFC 4511, Section 4.1.1
		return len(h) > 7 && h[0] == 0x30 && h[1] < 0x80 && h[2] == 2 && h[3] == 1 && (h[5] == 0x60 || h[5] == 0x63 || h[5] == 0x77)
	},
	"mysql": func(h []byte) bool {
		return len(h) > 8 && h[2] == 0 && h[3] == 0 && h[4] == 10 && h[5] >= '0' && h[5] <= '9'
	},
}

// judgePort judges cleartext by what tshark's dissector does with its port.
func (c *Checker) judgePort(v *conversation, at moment, dir int) {
	client, origin := &v.halves[fromClient].content, &v.halves[fromOrigin].content
	port := v.origin.port
	taken := dissector.Of(port)
	s, known := speech(client, origin)
	reader, readable := dissector.ReaderOf(s.word)
	if taken == dissector.TLS {
		c.judged[TLSPort]++
		if known && readable && reader.Reads(port) {
			return
		}
		if o := c.hitAt(TLSPort, v, dir, at); o != nil {
			o.Text = fmt.Sprintf("%s in clear on port %d, which tshark takes for TLS%s", orAnother(s.name), port, hint(reader, readable))
		}
		return
	}
	if !known || !readable {
		return
	}
	c.judged[Port]++
	if reader.Reads(port) {
		return
	}
	if o := c.hitAt(Port, v, dir, at); o != nil {
		if taken == "" {
			taken = "data"
		}
		o.Text = fmt.Sprintf("%s on port %d, which tshark takes for %s%s", s.name, port, taken, hint(reader, readable))
	}
}

func orAnother(name string) string {
	if name == "" {
		return "another protocol"
	}
	return name
}

// hint says where a protocol is read.
func hint(r dissector.Reader, ok bool) string {
	if !ok {
		return ""
	}
	return fmt.Sprintf("; it is read on port %d", r.Port)
}
