package mail

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clearspan/clearspan/appliance/service/icap"
	"github.com/clearspan/clearspan/decrypt"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// end is a TCP connection as an end of a session.
type end struct{ *net.TCPConn }

func (e end) Abort() { e.SetLinger(0); e.Close() }

// adapter answers with a function.
type adapter func(m *icap.Message, body []byte) (*icap.Result, error)

func (a adapter) Adapt(ctx context.Context, m *icap.Message) (*icap.Result, error) {
	body, err := io.ReadAll(m.Body)
	if err != nil {
		return nil, err
	}
	if m.Length != int64(len(body)) {
		return nil, io.ErrShortBuffer
	}
	return a(m, body)
}

func clean(*icap.Message, []byte) (*icap.Result, error) { return new(icap.Result), nil }

// blocking refuses what holds the word evil.
func blocking(m *icap.Message, body []byte) (*icap.Result, error) {
	if bytes.Contains(body, []byte("evil")) {
		return &icap.Result{Outcome: icap.Blocked, Header: []byte("HTTP/1.1 403 Forbidden\r\n\r\n"),
			Detail: icap.Detail{Infection: "Type=0; Resolution=2; Threat=Test.Evil;"}}, nil
	}
	return clean(m, body)
}

// pair returns two ends of a connection.
func pair(t testing.TB) (a, b *net.TCPConn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); s.Close() })
	return c.(*net.TCPConn), s.(*net.TCPConn)
}

// server is a mail server for what a real one does not do.
type server struct {
	c        net.Conn
	commands []string
	messages []string
	upgraded bool              // by STARTTLS: it has greeted
	answers  map[string]string // by verb, in place of the usual ones
}

func (o *server) serve() {
	br := bufio.NewReader(o.c)
	if !o.upgraded {
		o.say("220 origin.test ESMTP")
	}
	for {
		line, err := br.ReadString('\n')
		if err != nil {
			o.c.Close()
			return
		}
		line = strings.TrimSuffix(line, "\r\n")
		o.commands = append(o.commands, line)
		verb, rest, _ := strings.Cut(line, " ")
		if a, ok := o.answers[verb]; ok {
			o.say(a)
			if !strings.HasPrefix(a, "354") {
				continue
			}
		}
		switch verb {
		case "EHLO":
			o.say("250-origin.test\r\n250-PIPELINING\r\n250-CHUNKING\r\n250-BURL imap\r\n250-SIZE 1000\r\n250 STARTTLS")
		case "AUTH":
			o.say("334 Zm9v")
			answer, _ := br.ReadString('\n')
			o.commands = append(o.commands, strings.TrimSuffix(answer, "\r\n"))
			o.say("235 ok")
		case "DATA":
			if o.answers["DATA"] == "" {
				o.say("354 go on")
			}
			var b strings.Builder
			for {
				line, err := br.ReadString('\n')
				if err != nil {
					return
				}
				if line == ".\r\n" {
					break
				}
				b.WriteString(line)
			}
			o.messages = append(o.messages, b.String())
			o.say("250 delivered")
		case "BDAT":
			size, _, _ := strings.Cut(rest, " ")
			p := make([]byte, mustAtoi(size))
			if _, err := io.ReadFull(br, p); err != nil {
				return
			}
			o.messages = append(o.messages, string(p))
			o.say("250 delivered")
		case "QUIT":
			o.say("221 bye")
			o.c.Close()
			return
		default:
			o.say("250 " + verb)
		}
	}
}

func (o *server) say(s string) { io.WriteString(o.c, s+"\r\n") }

func mustAtoi(s string) (n int) {
	for _, c := range s {
		n = 10*n + int(c-'0')
	}
	return n
}

// dialogue is what became of a session in a test.
type dialogue struct {
	*server
	answers string // the client got
	words   []string
	result  string
	err     error
}

// play has a client say all of script at once, and read until the end.
func play(t *testing.T, cfg Config, answers map[string]string, script string) *dialogue {
	t.Helper()
	client, near := pair(t)
	far, opposite := pair(t)
	d := &dialogue{server: &server{c: opposite, answers: answers}}
	var mu sync.Mutex
	cfg.Name, cfg.Dir = "av", t.TempDir()
	cfg.Observe = func(_, word string, _ time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		d.words = append(d.words, word)
	}
	m, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	s := &decrypt.Session{ID: "0123456789abcdef", Client: netip.MustParseAddrPort("198.51.100.2:40000"), Origin: netip.MustParseAddrPort("192.0.2.10:25")}
	if d.upgraded = strings.Contains(t.Name(), "upgraded"); d.upgraded {
		s.Protocol, s.Outcome = "smtp", decrypt.Bumped
	}
	var wg sync.WaitGroup
	wg.Go(d.serve)
	wg.Go(func() {
		d.err = m.Carry(t.Context(), s, end{near}, end{far})
		near.Close()
		far.Close()
	})
	wg.Go(func() {
		io.WriteString(client, script)
		client.CloseWrite()
	})
	client.SetReadDeadline(time.Now().Add(20 * time.Second))
	got, _ := io.ReadAll(client) // a session that fails is reset
	client.Close()
	wg.Wait()
	d.answers = string(got)
	d.result = s.Services()["av"]
	return d
}
