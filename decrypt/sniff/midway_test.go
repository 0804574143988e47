package sniff

import (
	"strings"
	"testing"

	"github.com/clearspan/clearspan/decrypt/proto"
)

func TestMidway(t *testing.T) {
	const client, origin = proto.ClientToOrigin, proto.OriginToClient
	for _, tt := range []struct {
		dir  proto.Direction
		in   string
		want Protocol
		more bool
	}{
		{client, "GET /a HTTP/1.1\r\n", HTTP, false},
		{client, "GET /a HTTP/1.1", Unknown, true},
		{client, "POST " + strings.Repeat("/long", 1000), Unknown, true},
		{client, "GET /a\r\n", Unknown, false},
		{client, "text of a message HTTP\r\n", Unknown, false},
		{client, "\x00\x01GET / HTTP/1.1\r\n", Unknown, false},
		{client, "mail from:<a@b>\r\n", SMTP, false},
		{client, "RSET\r\n", SMTP, false},
		{client, "MAIL order\r\n", Unknown, false},
		{client, "DATA\r\n", Unknown, false},
		{client, "RETR 12\r\n", POP3, false},
		{client, "UIDL\r\n", POP3, false},
		{client, "RETR 12.txt\r\n", FTP, false},
		{client, "EPSV\r\n", FTP, false},
		{client, "a7 UID FETCH 1 (FLAGS)\r\n", IMAP, false},
		{client, "17 NOOP\r\n", IMAP, false},
		{client, "a7 word\r\n", Unknown, false},
		{client, "NOOP", Unknown, true},
		{client, strings.Repeat("x", 600), Unknown, true},
		{origin, "HTTP/1.1 200 OK\r\n", HTTP, false},
		{origin, "HTTP/1.0 4", Unknown, true},
		{origin, "HTTP/2.0 200 OK\r\n", Unknown, false},
		{origin, "220 ready\r\n", Unknown, false},
	} {
		if p, more := Midway(tt.dir, []byte(tt.in)); p != tt.want || more != tt.more {
			t.Errorf("%v %.40q: %q, more %v", tt.dir, tt.in, p, more)
		}
	}
}

func FuzzMidway(f *testing.F) {
	fuzzDecision(f, clientLimit, func(b []byte) (Protocol, bool) { return Midway(proto.ClientToOrigin, b) })
}

func FuzzMidwayOrigin(f *testing.F) {
	fuzzDecision(f, originLimit, func(b []byte) (Protocol, bool) { return Midway(proto.OriginToClient, b) })
}
