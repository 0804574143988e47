package http1_test

import (
	"testing"

	"github.com/clearspan/clearspan/decrypt/proto/http1"
	"github.com/clearspan/clearspan/decrypt/proto/http1/http1test"
)

// TestHosts holds the table for readers of every kind.
func TestHosts(t *testing.T) {
	for _, tt := range http1test.Hosts {
		t.Run(tt.Name, func(t *testing.T) {
			head := []byte(tt.Head)
			check := func(reader string, h http1.Host) {
				if string(h.Name) != tt.Host || string(h.Port) != tt.Port || h.Doubt != tt.Doubt {
					t.Errorf("%s: %q, port %q, %v, want %q, %q, %v", reader, h.Name, h.Port, h.Doubt, tt.Host, tt.Port, tt.Doubt)
				}
			}
			h, more := http1.FindHost(head)
			check("FindHost", h)
			if more {
				t.Error("FindHost needs more of a whole head")
			}
			n, _ := new(http1.Head).End(head, http1.Loose)
			r, fault := http1.ParseRequest(head[:n], http1.Loose, nil)
			if fault != http1.Sound {
				t.Errorf("a loose reader refuses: %v", fault)
			}
			check("loose", r.Host)
			strict, fault := http1.ParseRequest(head[:n], http1.Strict, nil)
			if refused := fault != http1.Sound; refused != tt.Refused || tt.Doubt.Doubtful() && !refused {
				t.Errorf("strict: %v", fault)
			} else if !refused {
				check("strict", strict.Host)
			}
			for i := range head[:n] {
				h, more := http1.FindHost(head[:i])
				if !more || h.Doubt == http1.NoHost {
					t.Fatalf("after %d of %d octets: %q, %v, more %v", i, n, h.Name, h.Doubt, more)
				}
			}
		})
	}
}

func TestFindHost(t *testing.T) {
	for _, tt := range []struct {
		name, head, want string
		doubt            http1.Doubt
		more             bool
	}{
		{"nothing", "", "", http1.HostCut, true},
		{"empty lines before", "\r\n\n\r\nGET / HTTP/1.1\r\nHost: a.test\r\n\r\n", "a.test", http1.Certain, false},
		{"host is there", "GET / HTTP/1.1\r\nHost: a.test\r\nX: y", "a.test", http1.Certain, true},
		{"host is not there", "GET / HTTP/1.1\r\nX: y\r\nHost: a", "", http1.HostCut, true},
		{"doubt is there", "GET / HTTP/1.1\r\nHost : a.test\r\n", "", http1.HostSpaced, true},
		{"HTTP/0.9", "GET /\r\n", "", http1.NoHost, false},
		{"blanks of lenient servers", "GET\x1c/ HTTP/1.1\r\nHost: a.test\r\n\r\n", "a.test", http1.Certain, false},
		{"the same behind the target", "GET /\xa0HTTP/1.1\r\nHost: a.test\r\n\r\n", "a.test", http1.Certain, false},
		{"the same behind the version", "GET / HTTP/1.1\x1d\r\nHost: a.test\r\n\r\n", "", http1.HostTarget, false},
		{"version of no HTTP/1", "GET / HTTP/3.1\r\nHost: a.test\r\n\r\n", "", http1.HostTarget, false},
		{"no target", "GET HTTP/1.1\r\nHost: a.test\r\n\r\n", "", http1.HostTarget, false},
		{"HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "", http1.NoHost, false},
		{"RTSP", "OPTIONS rtsp://a.test/ RTSP/1.0\r\nHost: a.test\r\n\r\n", "", http1.NoHost, false},
		{"SMTP", "EHLO a.test\r\n\r\n", "", http1.NoHost, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h, more := http1.FindHost([]byte(tt.head))
			if string(h.Name) != tt.want || h.Doubt != tt.doubt || more != tt.more {
				t.Errorf("got %q, %v, more %v", h.Name, h.Doubt, more)
			}
		})
	}
}
