package service

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/clearspan/clearspan/appliance/service/web"
	"github.com/clearspan/clearspan/appliance/service/web/adapt"
	"github.com/clearspan/clearspan/decrypt"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// looks answers every request, and tells who did.
type looks string

func (l looks) Adapt(_ context.Context, m *adapt.Message) (*adapt.Result, error) {
	return &adapt.Result{Outcome: adapt.Blocked, Header: []byte("HTTP/1.1 403 No\r\n\r\n"), Body: io.NopCloser(strings.NewReader(string(l)))}, nil
}

// stands is a service for whole sessions, or mail.
type stands string

func (stands) Carry(context.Context, *decrypt.Session, decrypt.End, decrypt.End) error { return nil }

func members() []Member {
	return []Member{
		{Name: "av", Web: &adapt.Service{Adapter: looks("av"), Requests: true}, Mail: stands("av mail")},
		{Name: "dlp", Web: &adapt.Service{Adapter: looks("dlp"), Requests: true}, FailOpen: true},
		{Name: "strict", Web: &adapt.Service{Adapter: looks("strict"), Requests: true}, Foreign: adapt.Block},
		{Name: "ips", Session: stands("ips")},
	}
}

func TestServices(t *testing.T) {
	c, err := NewChain(members(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, protocol, alpn string
		names                []string
		want                 []string
	}{
		{"HTTP/2", "tls", "h2", []string{"av", "dlp", "ips"}, []string{"web", "ips"}},
		{"around a device", "tls", "http/1.1", []string{"av", "ips", "dlp"}, []string{"web", "ips", "web"}},
		{"plain HTTP", "http", "", []string{"ips", "av"}, []string{"ips", "web"}},
		{"TLS that tells nothing", "tls", "", []string{"av", "dlp"}, []string{"either", "web"}},
		{"mail", "smtp", "", []string{"av", "dlp", "ips"}, []string{"av mail", "ips"}},
		{"another protocol, by its word alone", "tls", "dot", []string{"av"}, []string{"either"}},
		{"behind STARTTLS", "imap", "imap", []string{"av"}, []string{"av mail"}},
		{"another protocol behind STARTTLS", "xmpp", "xmpp-client", []string{"av"}, []string{"web"}},
		{"plain, another protocol, blocked", "ssh", "", []string{"av", "strict"}, []string{"web"}},
		{"data of FTP", "ftp-data", "", []string{"av", "ips"}, []string{"av mail"}},
		{"data of FTP, not for mail", "ftp-data", "", []string{"dlp"}, nil},
		{"plain, another protocol", "ssh", "", []string{"av"}, nil},
		{"plain, unknown", "", "", []string{"av", "ips"}, []string{"web", "ips"}},
		{"none asked for", "http", "", nil, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, s := range c.Services(&decrypt.Session{Protocol: tt.protocol, ALPN: tt.alpn}, tt.names) {
				switch s := s.(type) {
				case stands:
					got = append(got, string(s))
				case *web.Engine:
					got = append(got, "web")
				default: // by the greeting
					got = append(got, "either")
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestBypassIsCountedOnce: a session that passes beside a member is told once, however
// often its services are asked for.
func TestBypassIsCountedOnce(t *testing.T) {
	n := 0
	c, err := NewChain(members(), Options{Observe: func(service, word string, _ time.Duration) {
		if service != "av" || word != adapt.WordBypassed {
			t.Errorf("%s: %s", service, word)
		}
		n++
	}})
	if err != nil {
		t.Fatal(err)
	}
	s := &decrypt.Session{Protocol: "mqtt"}
	for range 3 {
		c.Services(s, []string{"av"})
	}
	if n != 1 || s.Services()["av"] != adapt.WordBypassed {
		t.Errorf("counted %d times, session notes %v", n, s.Services())
	}
}

func TestNewChainRefuses(t *testing.T) {
	if _, err := NewChain([]Member{{Name: "a"}, {Name: "a"}}, Options{}); err == nil {
		t.Error("two members of one name were taken")
	}
}

type end struct{ net.Conn }

func (e end) CloseWrite() error { return e.Close() }
func (e end) Abort()            { e.Close() }

// TestFirstInOrder has the first of two services answer, and be counted.
func TestFirstInOrder(t *testing.T) {
	var seen sync.Map // how often each was heard of, by service and word
	c, err := NewChain(members(), Options{Observe: func(service, word string, _ time.Duration) {
		n, _ := seen.LoadOrStore(service+" "+word, new(atomic.Int64))
		n.(*atomic.Int64).Add(1)
	}})
	if err != nil {
		t.Fatal(err)
	}
	for i, names := range [][]string{{"av", "dlp"}, {"dlp", "av"}} {
		s := &decrypt.Session{ALPN: "http/1.1"}
		client, left := net.Pipe()
		origin, right := net.Pipe()
		done := make(chan error, 1)
		go func() { done <- c.Services(s, names)[0].Carry(context.Background(), s, end{left}, end{right}) }()
		fmt.Fprint(client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		resp, err := http.ReadResponse(bufio.NewReader(client), nil)
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := io.ReadAll(resp.Body); string(got) != names[0] {
			t.Errorf("%q answered, want %q", got, names[0])
		}
		client.Close()
		origin.Close()
		<-done
		if got := s.Services(); got[names[0]] != adapt.WordBlocked || len(got) != 1 {
			t.Errorf("session notes %v", got)
		}
		got := make(map[string]int64)
		seen.Range(func(key, n any) bool { got[key.(string)] = n.(*atomic.Int64).Load(); return true })
		want := map[string]int64{names[0] + " " + adapt.WordBlocked: 1, "av " + adapt.WordBlocked: 1}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("after %d sessions (-want +got):\n%s", i+1, diff)
		}
	}
}
