package sniff

import (
	"strings"
	"testing"
)

// cleartexts are the first octets of a client and of an origin.
var cleartexts = []struct{ name, client, origin, want string }{
	{"HTTP/1", "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n", "", "http"},
	{"any method", "FOO /x HTTP/1.1\r\n", "", "http"},
	{"HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "", "http2"},
	{"MQTT 3.1.1", "\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01a", "", "mqtt"},
	{"MQTT 5, long", "\x10\xff\x01\x00\x04MQTT\x05\x02", "", "mqtt"},
	{"MQTT 3.1", "\x10\x0f\x00\x06MQIsdp\x03\x02", "", "mqtt"},
	{"AMQP 1.0", "AMQP\x03\x01\x00\x00", "", "amqp"},
	{"AMQP 0.9.1", "AMQP\x00\x00\x09\x01", "", "amqp"},
	{"SIP", "REGISTER sip:a.test SIP/2.0\r\n", "", "sip"},
	{"RTSP", "OPTIONS rtsp://a.test/ RTSP/1.0\r\n", "", "rtsp"},
	{"IRC", "CAP LS 302\r\nNICK a\r\n", "", "irc"},
	{"IRC, the server first", "", ":irc.test NOTICE * :*** Looking up\r\n", "irc"},
	{"IRC, NOTICE", "", "NOTICE AUTH :*** Looking up\r\n", "irc"},
	{"syslog, counted", "70 <34>1 2026-10-11T22:14:15Z a su - - - hello", "", "syslog"},
	{"syslog, lines", "<165>Oct 11 22:14:15 a su: hello\n", "", "syslog"},
	{"Redis", "*2\r\n$4\r\nAUTH\r\n", "", "redis"},
	{"Cassandra", "\x04\x00\x00\x00\x05\x00\x00\x00\x00", "", "cassandra"},
	{"Diameter", "\x01\x00\x00\x14\x80\x00\x01\x01\x00\x00\x00\x00", "", "diameter"},
	{"DNS", "\x00\x1e\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03www\x04test\x00\x00\x01\x00\x01", "", "dns"},
	{"DNS with EDNS", "\x00\x1e\x12\x34\x01\x20\x00\x01\x00\x00\x00\x00\x00\x01\x03www\x04test\x00\x00\x01\x00\x01", "", "dns"},
	{"NNTP", "", "200 news.test ready\r\n", "nntp"},
	{"NNTP, no posting", "CAPABILITIES\r\n", "201 news.test ready\r\n", "nntp"},
	{"IMAP", "", "* OK ready\r\n", "imap"},
	{"POP3", "", "+OK ready\r\n", "pop3"},
	{"SMTP", "", "220 a.test ESMTP\r\n", "smtp"},
	{"SMTP by its client", "EHLO a\r\n", "220 a.test\r\n", "smtp"},
	{"FTP by its client", "USER a\r\n", "220 ready\r\n", "ftp"},
	{"MySQL", "", "\x4a\x00\x00\x00\x0a8.0.36\x00", "mysql"},
	{"VNC", "", "RFB 003.008\n", "vnc"},
	{"rsync", "", "@RSYNCD: 31.0\n", "rsync"},
	{"LDAP", "\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\x00\x80\x00", "", "ldap"},
	{"PostgreSQL", "\x00\x00\x00\x08\x00\x03\x00\x00", "", "postgresql"},
	{"XMPP", "<?xml version='1.0'?><stream:stream ", "", "xmpp"},
	{"TLS within", "\x16\x03\x01\x02\x00\x01", "", ""},
	{"nothing known", "\x00\x00\x00\x00", "", ""},
	{"words", "hello there\r\n", "", ""},
	{"the client, while the origin tells nothing yet", "GET / HTTP/1.1\r\n", "0", "http"},
	{"220 that nothing follows", "HELP\r\n", "220 ready\r\n", ""},
}

func TestCleartext(t *testing.T) {
	for _, tt := range cleartexts {
		t.Run(tt.name, func(t *testing.T) {
			if got, more := Cleartext([]byte(tt.client), []byte(tt.origin)); got != tt.want || more && tt.want != "" {
				t.Errorf("%q, more %v", got, more)
			}
			if tt.want == "" {
				return
			}
			for n := range len(tt.client) { // octet by octet: undecided, or right
				if got, more := Cleartext([]byte(tt.client[:n]), []byte(tt.origin)); got != tt.want && !(got == "" && more) {
					t.Fatalf("after %q: %q, more %v", tt.client[:n], got, more)
				}
			}
		})
	}
	if _, more := Cleartext([]byte("GET /"+strings.Repeat("x", 600)), nil); more {
		t.Error("waits beyond its bound")
	}
}

func TestCleartextAllocatesNothing(t *testing.T) {
	for _, tt := range cleartexts {
		client, origin := []byte(tt.client), []byte(tt.origin)
		if n := testing.AllocsPerRun(10, func() { Cleartext(client, origin) }); n != 0 {
			t.Errorf("%s: %v allocations", tt.name, n)
		}
	}
}

func FuzzCleartext(f *testing.F) {
	for _, tt := range cleartexts {
		f.Add([]byte(tt.client), []byte(tt.origin))
	}
	f.Fuzz(func(t *testing.T, client, origin []byte) {
		name, more := Cleartext(client, origin)
		if name != "" && more || more && len(client) >= clearLimit && len(origin) >= clearLimit {
			t.Fatalf("%q, more %v", name, more)
		}
	})
}
