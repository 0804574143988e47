package mail

import (
	"bytes"
	"io"
	"net/netip"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/clearspan/clearspan/appliance/service/icap"
	"github.com/clearspan/clearspan/decrypt"
)

// script is an end that says something, whatever it is told.
type script struct {
	io.Reader
	mu   sync.Mutex
	told bytes.Buffer
}

func (s *script) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.told.Write(p)
}
func (s *script) CloseWrite() error { return nil }
func (s *script) Abort()            {}

var (
	told   = regexp.MustCompile(`(?mi)^[ \t]*(DATA|BDAT)\b`)
	opaque = regexp.MustCompile(`(?i)AUTH`)
)

// FuzzDialogue lets both ends say anything. The session ends, and with a service
// that blocks everything the origin is never told of content, except by what may
// be an answer to a challenge.
func FuzzDialogue(f *testing.F) {
	for _, s := range []struct{ client, origin string }{
		{begin + "DATA\r\n" + message + ".\r\n" + quit, "220 a\r\n250-a\r\n250 CHUNKING\r\n250 b\r\n250 c\r\n250 d\r\n221 e\r\n"},
		{begin + "BDAT 3\r\nabcBDAT 0 LAST\r\n", "220 a\r\n250 a\r\n250 b\r\n250 c\r\n250 d\r\n"},
		{"AUTH PLAIN\r\nDATA\r\nNOOP\r\n", "220 a\r\n334 x\r\n235 y\r\n250 z\r\n"},
		{"NOOP\rDATA\r\n DATA\n\x00\r\nQUIT", "220 a\r\n354 go\r\n"},
		{begin + "DATA\r\n.\n", "220-a\r\n220 b\r\n250 a\r\n250 b\r\n250 c\r\n"},
	} {
		f.Add([]byte(s.client), []byte(s.origin))
	}
	f.Fuzz(func(t *testing.T, client, origin []byte) {
		m, err := New(Config{Name: "av", Memory: 10, Dir: t.TempDir(), Adapter: adapter(func(*icap.Message, []byte) (*icap.Result, error) {
			return &icap.Result{Outcome: icap.Blocked, Header: []byte("HTTP/1.1 403 No\r\n\r\n")}, nil
		})})
		if err != nil {
			t.Fatal(err)
		}
		near, far := &script{Reader: bytes.NewReader(client)}, &script{Reader: bytes.NewReader(origin)}
		done := make(chan struct{})
		go func() {
			defer close(done)
			m.Carry(t.Context(), &decrypt.Session{Origin: netip.MustParseAddrPort("192.0.2.1:25")}, near, far)
		}()
		select {
		case <-done:
		case <-time.After(30 * time.Second):
			t.Fatal("session does not end")
		}
		if !opaque.Match(client) && told.Match(far.told.Bytes()) {
			t.Fatalf("origin was told %q", far.told.Bytes())
		}
	})
}

// FuzzFetch lets both ends of IMAP and POP3 say anything. The session ends, and with a
// service that blocks everything the client gets no message by POP3.
func FuzzFetch(f *testing.F) {
	f.Add([]byte("a FETCH 1 (BODY[]<0.3> BODY[1])\r\nb APPEND {1+}\r\nx {3+}\r\nabc\r\nc IDLE\r\nDONE\r\n"), []byte("* OK x\r\n* 1 FETCH (BODY[] {3}\r\nabc BODY[1] \"x\")\r\na OK\r\n"), true)
	f.Add([]byte("a LOGIN {3}\r\nabc {3}\r\nabc\r\nb AUTHENTICATE X\r\nx\r\n"), []byte("+ a\r\n+ b\r\na OK [CAPABILITY CATENATE]\r\n+\r\nb NO\r\n* URLFETCH {3}\r\nabc\r\n"), true)
	f.Add([]byte("USER a\r\nRETR 1\r\nCAPA\r\nLIST\r\nAUTH PLAIN\r\nx\r\n"), []byte("+OK\r\n+OK\r\nsecret\r\n.\r\n+OK\r\nSTLS\r\n.\r\n+OK\r\n.\r\n+\r\n-ERR\r\n"), false)
	f.Fuzz(func(t *testing.T, client, origin []byte, imap bool) {
		m, err := New(Config{Name: "av", Memory: 10, MaxMessage: 1 << 16, Dir: t.TempDir(), Adapter: adapter(func(*icap.Message, []byte) (*icap.Result, error) {
			return &icap.Result{Outcome: icap.Blocked, Header: []byte("HTTP/1.1 403 No\r\n\r\n")}, nil
		})})
		if err != nil {
			t.Fatal(err)
		}
		s := &decrypt.Session{Protocol: map[bool]string{true: "imap", false: "pop3"}[imap], Origin: netip.MustParseAddrPort("192.0.2.1:143")}
		near, far := &script{Reader: bytes.NewReader(client)}, &script{Reader: bytes.NewReader(origin)}
		done := make(chan struct{})
		go func() {
			defer close(done)
			m.Carry(t.Context(), s, near, far)
		}()
		select {
		case <-done:
		case <-time.After(30 * time.Second):
			t.Fatal("session does not end")
		}
		if upper := bytes.ToUpper(client); !imap && bytes.Equal(upper, []byte("RETR 1\r\n")) && bytes.Contains(near.told.Bytes(), []byte("\r\n.\r\n")) {
			t.Fatalf("client was told %q", near.told.Bytes())
		}
	})
}
