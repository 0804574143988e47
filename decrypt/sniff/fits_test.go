package sniff

import (
	"testing"

	"github.com/clearspan/clearspan/decrypt/proto"
)

func TestBegins(t *testing.T) {
	for _, tt := range []struct {
		name, octets string
		want         Protocol
		more         bool
	}{
		{"as Client tells", "SSH-2.0-a\r\n", SSH, false},
		{"MongoDB", "\x3f\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\xdd\x07\x00\x00", MongoDB, false},
		{"MongoDB, an answer", "\x3f\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00\xdd\x07\x00\x00", Unknown, false},
		{"Kafka", "\x00\x00\x00\x15\x00\x12\x00\x03\x00\x00\x00\x01\x00\x07rdkafka", Kafka, false},
		{"Kafka, a name of controls", "\x00\x00\x00\x15\x00\x12\x00\x03\x00\x00\x00\x01\x00\x07\x01dkafka", Unknown, false},
		{"Cassandra", "\x04\x00\x00\x00\x05\x00\x00\x00\x00", Cassandra, false},
		{"Oracle", "\x00\xc8\x00\x00\x01\x00\x00\x00\x01\x3a\x01\x2c", TNS, false},
		{"DNS", "\x00\x1d\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x01\x01a\x04test\x00\x00\x01\x00\x01", DNS, false},
		{"DNS, an answer", "\x00\x1d\x12\x34\x81\x00\x00\x01\x00\x01\x00\x00\x00\x00\x01a", Unknown, false},
		{"one octet", "\x00", Unknown, true},
		{"noise", "\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8\xf7\xf6\xf5\xf4\xf3\xf2\xf1\xf0", Unknown, false},
		{"made up", "HELLO my own protocol\n", Unknown, false},
	} {
		if p, more := Begins([]byte(tt.octets)); p != tt.want || more != tt.more {
			t.Errorf("%s: %q, %v, want %q, %v", tt.name, p, more, tt.want, tt.more)
		}
	}
}

func TestFits(t *testing.T) {
	const client, origin = proto.ClientToOrigin, proto.OriginToClient
	for _, tt := range []struct {
		p      Protocol
		dir    proto.Direction
		octets string
		fits   bool
		more   bool
	}{
		{IMAP, client, "a1 NOOP\r\n", true, false},
		{IMAP, client, "a1 ", false, true},
		{IMAP, client, "GIMME the file\r\n", false, false},
		{IMAP, client, "\x00\x01\x02", false, false},
		{POP3, client, "USER a\r\n", true, false},
		{FTP, client, "FEAT\r\n", true, false},
		{Greeting220, client, "EHLO a\r\n", true, false},
		{MySQL, client, "\x20\x00\x00\x01\x85", true, false},
		{MySQL, client, "GET / HTTP/1.1\r\n", false, false},
		{SSH, origin, "SSH-2.0-a", true, false},
		{SSH, origin, "MZ", false, false},
		{MQTT, origin, "\x20\x02\x00\x00", true, false},
		{MQTT, origin, "MZ", false, false},
		{PostgreSQL, origin, "R\x00", true, false},
		{DNS, origin, "\x00\x1d\x12\x34\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00\x01a", true, false},
		{Syslog, origin, "x", false, false},
		{Unknown, origin, "x", false, false},
		{HTTP, origin, "HTTP/1.1 200 OK\r\n", false, false},
	} {
		if fits, more := Fits(tt.p, tt.dir, []byte(tt.octets)); fits != tt.fits || more != tt.more {
			t.Errorf("%v %v %q: %v, %v, want %v, %v", tt.p, tt.dir, tt.octets, fits, more, tt.fits, tt.more)
		}
	}
}

func TestNamed(t *testing.T) {
	for p := TLS; p <= Rsync; p++ {
		if Named(p.String()) != p {
			t.Errorf("%v is named %v", p, Named(p.String()))
		}
	}
	if Named("") != Unknown || Named("no") != Unknown {
		t.Error("no protocol has a name")
	}
}
