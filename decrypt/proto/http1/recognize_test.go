package http1_test

import (
	"strings"
	"testing"

	"github.com/clearspan/clearspan/decrypt/proto/http1"
)

func TestRecognize(t *testing.T) {
	long := strings.Repeat("a", http1.MaxStart)
	for _, tt := range []struct {
		name, octets string
		is, more     bool
	}{
		{"nothing", "", false, true},
		{"request line", "GET / HTTP/1.1\r\n", true, false},
		{"known method", "GET /", true, false},
		{"half a method", "GE", false, true},
		{"no target", "GET ", false, true},
		{"empty line before", "\r\nGET / HTTP/1.1\r\n", true, false},
		{"LF before", "\nGET / HTTP/1.1\r\n", true, false},
		{"CR before", "\rGET /", true, false},
		{"many empty lines before", strings.Repeat("\r\n", 1000) + "GET /", true, false},
		{"empty lines alone", "\r\n\r\n", false, true},
		{"endless empty lines", strings.Repeat("\r\n", http1.MaxStart/2), true, false},
		{"blank before", " GET / HTTP/1.1\r\n", true, false},
		{"two blanks", "GET  / HTTP/1.1\r\n", true, false},
		{"tabs", "GET\t/\tHTTP/1.1\r\n", true, false},
		{"bare CR for a blank", "GET\r/ HTTP/1.1\r\n", true, false},
		{"blank behind the version", "A-B / HTTP/1.1 \r\n", true, false},
		{"blank within the target", "A-B /a b HTTP/1.1\r\n", true, false},
		{"any method", "A-B / HTTP/1.1\r\n", true, false},
		{"method with underscore", "FOO_BAR / HTTP/1.1\r\n", true, false},
		{"lower-case method", "get / HTTP/1.1\r\n", true, false},
		{"command of another protocol as method", "EHLO / HTTP/1.1\r\n", true, false},
		{"any method, no version yet", "A-B /x", false, true},
		{"any method, half a version", "A-B /x HTT", false, true},
		{"any method, other line", "A-B /x\r\n", false, false},
		{"long method", long[:1000] + " / HTTP/1.1\r\n", true, false},
		{"endless method", long, false, false},
		{"endless target", "A-B /" + long, true, false},
		{"endless line of something else", "A-B " + long, false, false},
		{"absolute form", "GET http://a.test/ HTTP/1.1\r\n", true, false},
		{"absolute form, another scheme", "GET ftp://a.test/ HTTP/1.1\r\n", true, false},
		{"half a scheme", "GET htt", false, true},
		{"authority form", "CONNECT a.test:443", true, false},
		{"asterisk form", "OPTIONS * HTTP/1.1\r\n", true, false},
		{"no form", "GET a.test HTTP/1.1\r\n", true, false},
		{"no target at all", "GET HTTP/1.1\r\n", true, false},
		{"HTTP/0.9", "GET /\r\n", true, false},
		{"lower-case version", "A-B / http/1.1\r\n", true, false},
		{"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", false, false},
		{"half the preface", "PRI * HTTP/2", false, true},
		{"RTSP", "OPTIONS rtsp://a.test/x RTSP/1.0\r\n", false, false},
		{"RTSP, asterisk form", "OPTIONS * RTSP/1.0\r\n", false, false},
		{"SIP", "REGISTER sip:a.test SIP/2.0\r\n", false, false},
		{"ICAP", "OPTIONS icap://a.test/av ICAP/1.0\r\n", false, false},
		{"response", "HTTP/1.1 200 OK\r\n", false, false},
		{"SSH", "SSH-2.0-OpenSSH_9.2\r\n", false, false},
		{"SMTP", "EHLO a.test\r\n", false, false},
		{"IMAP", "a1 LOGIN a b\r\n", false, false},
		{"FTP", "USER a\r\n", false, false},
		{"TLS", "\x16\x03\x01\x02\x00\x01", false, false},
		{"NUL behind a word", "GET\x00/ HTTP/1.1\r\n", false, false},
		{"NUL in a target", "A-B /\x00 HTTP/1.1\r\n", false, false},
		{"control octet in a target", "A-B /\x01 HTTP/1.1\r\n", true, false},
		{"blanks of lenient servers", "A-B\x1c/\xa0HTTP/1.1\r\n", true, false},
		{"such a blank, and no version yet", "A-B \x1c", false, true},
		{"another control octet before the target", "A-B \x0e HTTP/1.1\r\n", false, false},
		{"half of that", "A-B \x0e", false, false},
		{"LDAP", "0\x0c\x02\x01\x01\x60", false, false},
		{"git", "0032git-upload-pack /project.git\x00host=a.test\x00", false, false},
		{"NATS", "CONNECT {\"verbose\":false}\r\n", false, false},
		{"Redis", "*1\r\n$4\r\nPING\r\n", false, false},
		{"AMQP", "AMQP\x00\x00\x09\x01", false, false},
		{"XMPP", "<?xml version='1.0'?>", false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if is, more := http1.Recognize([]byte(tt.octets)); is != tt.is || more != tt.more {
				t.Errorf("got %v, more %v", is, more)
			}
		})
	}
}

// FuzzRecognize: what is decided stays decided, in time, and what a reader of heads
// takes for a request is recognized.
func FuzzRecognize(f *testing.F) {
	for _, s := range []string{
		"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "\r\n\nA-B  /x HTTP/1.1\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "OPTIONS * RTSP/1.0\r\n",
		"CONNECT [::1]:443 HTTP/1.1\r\n\r\n", "GET\r/\tHTTP/1.0\n\n", "EHLO a\r\n",
	} {
		f.Add([]byte(s), 3)
	}
	f.Fuzz(func(t *testing.T, b []byte, cut int) {
		is, more := http1.Recognize(b)
		if is && more || more && len(b) >= http1.MaxStart {
			t.Fatalf("%v and more %v after %d octets", is, more, len(b))
		}
		if early, more := http1.Recognize(b[:max(0, min(cut, len(b)))]); !more && early != is {
			t.Fatalf("%v after %d octets, %v after %d", early, cut, is, len(b))
		}
		head := b[http1.EmptyLines(b):]
		n, _ := new(http1.Head).End(head, http1.Loose)
		if n == 0 {
			return
		}
		if r, fault := http1.ParseRequest(head[:n], http1.Loose, nil); fault == http1.Sound && !is {
			t.Fatalf("%q is a request, and not recognized", r.Method)
		}
	})
}
