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
