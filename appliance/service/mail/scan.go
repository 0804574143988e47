package mail

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/clearspan/clearspan/appliance/service/icap"
	"github.com/clearspan/clearspan/decrypt"
)

// scan asks the service about the messages of one session. It is safe for concurrent use.
type scan struct {
	cfg *Config
	ctx context.Context
	s   *decrypt.Session

	mu       sync.Mutex
	word     string // result so far
	messages int    // so far
}

// shown is content as the service is shown it.
type shown struct {
	content *content
	fields  []byte // header fields about it, each with its line end
	media   string // its type; "": it is a message
	part    bool   // it is no message, but a part of one in an unknown transfer coding
}

// verdict is what becomes of a message.
type verdict struct {
	word    string
	why     string   // of WordBlocked, with a colon before it; may be empty
	changed *content // of WordModified
}

// served notes what became of a message.
func (x *scan) served(word string, took time.Duration) {
	x.mu.Lock()
	if severity[word] > severity[x.word] {
		x.word = word
		x.s.Served(x.cfg.Name, word)
	}
	x.mu.Unlock()
	if x.cfg.Observe != nil {
		x.cfg.Observe(x.cfg.Name, word, took)
	}
}

func (x *scan) newContent(dotted bool) *content {
	return &content{dotted: dotted, most: x.cfg.MaxMessage, memory: x.cfg.Memory, dir: x.cfg.Dir}
}

// examine gets the service's verdict on content that is held, and notes it.
func (x *scan) examine(m shown) verdict {
	start := time.Now()
	v := x.inspect(m)
	x.served(v.word, time.Since(start))
	return v
}

// inspect gets the service's verdict.
func (x *scan) inspect(m shown) verdict {
	sent := sha256.New()
	wrapped := x.wrap(m)
	if m.part {
		wrapped.Body = io.TeeReader(wrapped.Body, sent)
	}
	res, err := x.cfg.Adapter.Adapt(x.ctx, wrapped)
	if err != nil {
		return x.failure()
	}
	if res.Body != nil {
		defer res.Body.Close()
	}
	found := res.Detail.Threat()
	if found != "" {
		x.s.Found(x.cfg.Name, found)
	}
	switch {
	case res.Outcome == icap.Unmodified && res.Detail.Bypass != "":
		return verdict{word: WordBypassed}
	case res.Outcome == icap.Unmodified:
		return verdict{word: WordUnmodified}
	case m.part && res.Outcome == icap.Modified && same(res.Body, sent):
		return verdict{word: WordUnmodified}
	case m.part, res.Outcome == icap.Blocked || !bytes.HasPrefix(res.Header[min(len(res.Header), 8):], []byte(" 200")):
		v := verdict{word: WordBlocked}
		if found != "" {
			v.why = ": " + field(found[:min(len(found), 100)])
		}
		return v
	}
	changed := x.newContent(m.content.dotted)
	if res.Body != nil {
		err = changed.fill(res.Body)
	}
	if err != nil {
		changed.close()
		return x.failure()
	}
	return verdict{word: WordModified, changed: changed}
}

// same reports whether a service has returned what it was sent.
func same(body io.Reader, sent hash.Hash) bool {
	if body == nil {
		return false
	}
	got := sha256.New()
	_, err := io.Copy(got, body)
	return err == nil && bytes.Equal(got.Sum(nil), sent.Sum(nil))
}

func (x *scan) failure() verdict {
	if x.cfg.FailOpen {
		return verdict{word: WordFailedOpen}
	}
	return verdict{word: WordFailedClosed}
}

// wrap makes a message as the service is shown it, see the package's documentation.
func (x *scan) wrap(m shown) *icap.Message {
	x.mu.Lock()
	x.messages++
	number := x.messages
	x.mu.Unlock()
	body, n := m.content.text()
	media := cmp.Or(m.media, "message/rfc822")
	if m.part {
		media, body, n = asParts(m.content)
	}
	host, suffix := "mail.invalid", ".eml"
	if m.media != "" {
		host, suffix = "ftp.invalid", ""
	}
	h := fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n", media, n)
	h = append(h, m.fields...)
	return &icap.Message{
		Method:   icap.RESPMOD,
		Request:  fmt.Appendf(nil, "GET http://%s/%s/%d%s HTTP/1.1\r\nHost: %s\r\n\r\n", host, x.s.ID, number, suffix, host),
		Response: append(h, "\r\n"...),
		Body:     body, Length: n,
		Client: x.s.Client, Server: x.s.Origin,
	}
}

// field makes text fit into a field: printable, and at most 320 octets.
func field(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, text[:min(len(text), 320)])
}
