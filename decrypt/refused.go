package decrypt

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/clearspan/clearspan/decrypt/policy"
)

// Refused is a request within a session that the policy did not let go on.
type Refused struct {
	Host   string // that the request names, in the client's spelling; "" if none, or in doubt
	Method string
	Path   string // canonical, without query, see [policy.Request.SetTarget]; at most 256 octets
	Rule   string
	Action policy.Action // of the rule: Terminate, or another one than the session's
	Status int           // of the answer: 421 or 403
}

const (
	maxRefused = 32  // requests of a session that are kept
	maxWord    = 256 // octets of a path or method that are kept
)

// refused notes a request.
func (s *Session) refused(r Refused) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refusals[r.Action&3]++; len(s.requests) < maxRefused {
		s.requests = append(s.requests, r)
	}
}

// Refused returns the first 32 requests within the session that the policy refused, and how
// many it refused in all. Safe for concurrent use.
func (s *Session) Refused() (first []Refused, total uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range s.refusals {
		total += n
	}
	return slices.Clone(s.requests), total
}

// RefusedBy returns how many requests the policy refused, by [policy.Action] of the rule.
// Safe for concurrent use.
func (s *Session) RefusedBy() [4]uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refusals
}

// Answer implements [request.Judge].
func (q *requests) Answer(head []byte, status int) []byte {
	refusal := &q.engine.cfg.Refusal
	q.overrule = &q.decision
	q.account.Notice = NoticeReset
	if refusal.Answer == ResetRefused || status == http.StatusForbidden && refusal.Page == nil {
		return nil
	}
	q.account.Notice = NoticePage
	if status == http.StatusForbidden {
		return q.page(head)
	}
	text := fmt.Sprintf("The policy of this network does not let this connection ask for another host (rule %s, session %s).\r\n",
		printable(q.decision.Rule), q.account.ID)
	return fmt.Appendf(nil, "HTTP/1.1 421 Misdirected Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n%s",
		len(text), text)
}

// page returns the page about a request.
func (q *requests) page(head []byte) []byte {
	told := &Session{
		ID: q.account.ID, Intake: q.account.Intake, Client: q.account.Client, Origin: q.account.Origin, Start: q.account.Start,
		Name: q.account.Name, SNI: q.account.SNI, Host: string(q.host), Protocol: "http", ALPN: q.account.ALPN,
		Decision: q.decision, Outcome: Terminated, Reason: q.reason(),
	}
	method := "GET" // that of the client matters for the content alone
	if bytes.HasPrefix(head, []byte("HEAD ")) {
		method = "HEAD"
	}
	c := &pageConn{request: strings.NewReader(method + " / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"), conn: q.client.Conn()}
	q.engine.cfg.Refusal.Page(told, c)
	return c.answer.Bytes()
}

// pageConn is a connection in memory from which a page reads a request, and to which it
// writes its answer.
type pageConn struct {
	request *strings.Reader
	answer  bytes.Buffer
	conn    net.Conn // whose addresses it has
}

var _ net.Conn = (*pageConn)(nil)

func (c *pageConn) Read(p []byte) (int, error) {
	n, _ := c.request.Read(p)
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

func (c *pageConn) Write(p []byte) (int, error) { return c.answer.Write(p) }

// Canned says that what the client sends next does not come here.
func (c *pageConn) Canned() {}

func (c *pageConn) Close() error                     { return nil }
func (c *pageConn) LocalAddr() net.Addr              { return c.conn.LocalAddr() }
func (c *pageConn) RemoteAddr() net.Addr             { return c.conn.RemoteAddr() }
func (c *pageConn) SetDeadline(time.Time) error      { return nil }
func (c *pageConn) SetReadDeadline(time.Time) error  { return nil }
func (c *pageConn) SetWriteDeadline(time.Time) error { return nil }
