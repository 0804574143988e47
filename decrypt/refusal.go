package decrypt

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/clearspan/clearspan/decrypt/clienthello"
)

// Refusal is what clients are told whose session is refused: terminated by the
// policy, or blocked because of its origin. The zero value answers a ClientHello
// with an alert and a mail client with an error, and resets others.
type Refusal struct {
	// Reset has every client get a TCP reset and no word.
	Reset bool
	// Page answers an HTTP client on conn, whose request is unread, and returns
	// when the answer is written; nil: HTTP clients are reset. Reason of s is set.
	// conn is a *tls.Conn after its handshake, with h2 or no protocol other than
	// HTTP/1.1, or not encrypted. Page may close it. It is torn down if Page takes
	// longer than twice HandshakeTimeout.
	Page func(s *Session, conn net.Conn)
	// HTTPS has Page also answer clients whose ClientHello was refused, unless they
	// speak no HTTP. What the policy terminates is shown under the authority that
	// clients trust, with a leaf for the name that they asked for; an origin that is
	// not trusted, or not known to own the name, under the untrusted one.
	HTTPS bool
}

// Notice says what the client of a refused session was told.
type Notice uint8

const (
	// NoticeNone: clearspan did not refuse the session.
	NoticeNone Notice = iota
	// NoticeReset: a TCP reset.
	NoticeReset
	// NoticeAlert: a TLS alert.
	NoticeAlert
	// NoticePage: a page by HTTP or HTTPS.
	NoticePage
	// NoticeLine: an error line of the mail protocol.
	NoticeLine
	// NoticeProxy: an error in answer to the proxy request.
	NoticeProxy
)

var noticeNames = [...]string{"", "reset", "alert", "page", "line", "proxy"}

// String returns the word used in audit entries, "" for NoticeNone.
func (n Notice) String() string {
	if int(n) < len(noticeNames) {
		return noticeNames[n]
	}
	return "unknown"
}

// refusal is fail for an origin that is not let through.
func refusal(reason string, err error, a alert) error {
	return &failure{reason: reason, err: err, alert: a, refused: true}
}

// refuse tells the client of a session that ended with err why, if it was
// refused, and sees to it that what it was told arrives. It returns err.
func (j *joint) refuse(ctx context.Context, err error) error {
	var f *failure
	switch {
	case !errors.As(err, &f):
		return err
	case f.reason == reasonClientTLS && !isTimeout(f.err): // crypto/tls has sent an alert
		f.told = true
		j.depart()
		return err
	case !f.refused && j.s.Outcome != Terminated:
		return err
	}
	j.s.Reason = f.reason // for the page
	j.s.Notice = j.notify(ctx, f)
	switch j.s.Notice {
	case NoticePage, NoticeLine:
		f.alert, f.told = 0, true
		j.depart()
	case NoticeReset:
		f.alert = 0
	}
	return err
}

// notify tells the client, except for an alert, which is sent when the session
// is closed.
func (j *joint) notify(ctx context.Context, f *failure) Notice {
	if j.e.cfg.Refusal.Reset || j.clientTLS != nil {
		return NoticeReset
	}
	timer := time.AfterFunc(2*j.e.cfg.HandshakeTimeout, j.client.abort)
	defer timer.Stop()
	hello, _, err := clienthello.Parse(j.client.unread())
	switch page := j.e.cfg.Refusal.Page; {
	case err == nil && page != nil && j.e.cfg.Refusal.HTTPS && j.progress.Load() == 0: // after STARTTLS nobody reads pages
		return j.securePage(ctx, hello, f.reason == reasonPolicy && f.err == nil && j.blameless())
	case err == nil:
		return NoticeAlert
	case page != nil && (j.s.Protocol == "http" || j.s.Protocol == "http2"):
		conn := &lent{leg: j.client}
		page(j.s, conn)
		conn.Close()
		return NoticePage
	}
	line := j.errorLine()
	if line == "" || j.client.send([]byte(line)) != nil {
		return NoticeReset
	}
	return NoticeLine
}

// blameless reports whether nothing speaks against the origin: it was judged to be
// good, or was not asked.
func (j *joint) blameless() bool {
	return j.s.OriginTLS.Verdict == "ok" || j.s.OriginTLS.Verdict == "" && (j.inquiry == nil || j.inquiry.err == nil)
}

// securePage completes the client's handshake with a leaf for the name that it
// asked for, and lets it have the page.
func (j *joint) securePage(ctx context.Context, hello *clienthello.Hello, trusted bool) Notice {
	protocols, ok := j.pageProtocols(hello)
	if !ok || !sharesCipher(hello, j.e.cfg.ClientMinVersion) {
		return NoticeAlert
	}
	highest := uint16(tls.VersionTLS13)
	if v := j.s.OriginTLS.Version; v != 0 {
		highest = max(v, j.e.cfg.ClientMinVersion)
	}
	var shown []tls.Certificate
	if j.in.Own != nil {
		shown = j.in.Own(j.serverName(), false)
	}
	if len(shown) == 0 {
		leaf, err := j.e.cfg.Forger.Forge(ctx, nil, j.identity(), trusted, hello.SupportsECDSA(highest))
		if err != nil {
			return NoticeAlert
		}
		shown = []tls.Certificate{*leaf}
		j.s.Untrusted = !trusted
		if leaf.Leaf != nil {
			j.s.ForgedSerial = leaf.Leaf.SerialNumber.Text(16)
		}
	}
	cfg := &tls.Config{
		Certificates:           shown,
		MinVersion:             j.e.cfg.ClientMinVersion,
		MaxVersion:             highest,
		CipherSuites:           greenSuites,
		SessionTicketsDisabled: true,
		NextProtos:             protocols,
	}
	start := time.Now()
	under := &lent{leg: j.client}
	conn := tls.Server(under, cfg)
	j.client.SetDeadline(start.Add(j.e.cfg.HandshakeTimeout))
	err := conn.Handshake()
	j.s.ClientTLS.Handshake = time.Since(start)
	if err != nil {
		return NoticeReset
	}
	j.client.SetDeadline(time.Time{})
	state := conn.ConnectionState()
	j.s.ALPN = state.NegotiatedProtocol
	j.s.ClientTLS.Version, j.s.ClientTLS.Cipher = state.Version, state.CipherSuite
	j.e.cfg.Refusal.Page(j.s, conn)
	conn.Close()
	under.Close() // conn does not if its peer is gone
	return NoticePage
}

// pageProtocols returns those of a client's application protocols in which it can
// be shown a page. A client that names none is taken for one of the web where the
// web is expected.
func (j *joint) pageProtocols(hello *clienthello.Hello) (protocols []string, ok bool) {
	if hello.ALPN == nil {
		return nil, j.s.Origin.Port() == 443
	}
	for _, p := range []string{"h2", "http/1.1"} {
		if slices.Contains(hello.ALPN, p) {
			protocols = append(protocols, p)
		}
	}
	return protocols, len(protocols) > 0
}

// errorLine is how a mail client is told; "" for clients of other protocols. Who
// waits for a greeting that did not come is known by the port it went to.
func (j *joint) errorLine() string {
	protocol := j.s.Protocol
	if protocol == "" {
		protocol = map[uint16]string{25: "smtp", 587: "smtp", 143: "imap", 110: "pop3"}[j.s.Origin.Port()]
	}
	text := fmt.Sprintf("refused by the policy of this network (rule %s, session %s)\r\n", printable(j.s.Decision.Rule), j.s.ID)
	switch protocol {
	case "smtp":
		return "554 5.7.1 " + text // as a greeting, too: RFC 5321, Section 3.1
	case "imap":
		return "* BYE " + text // RFC 9051, Section 7.1.5
	case "pop3":
		return "-ERR [SYS/PERM] " + text // RFC 3206, Section 4
	}
	return ""
}

// printable returns the beginning of a name as it may stand in a line of a mail
// protocol.
func printable(name string) string {
	b := []byte(name[:min(len(name), 100)])
	for i, c := range b {
		if c < ' ' || c > '~' {
			b[i] = '?'
		}
	}
	return string(b)
}

// discarded is how many octets are read after the client was told, which it sent
// before it knew.
const discarded = 256 << 10

// depart ends what the client was told so that it arrives: octets that nobody
// reads would make the kernel reset the connection.
func (j *joint) depart() {
	j.client.closeWrite() // a client that is gone will not read either
	j.client.SetReadDeadline(time.Now().Add(lingering))
	for n := 0; n < discarded; {
		n += len(j.client.unread())
		j.client.consume(len(j.client.unread()))
		if j.client.fill(true) != nil {
			return
		}
	}
}

// lent is the client leg in the hands of others. Closing it ends reading, and
// leaves the connection open; when Close has returned, nobody reads any more.
type lent struct {
	leg *leg

	reading sync.Mutex // held by who reads

	mu     sync.Mutex // guards the rest, and deadlines of reading
	closed bool
}

// Read implements net.Conn.
func (l *lent) Read(p []byte) (int, error) {
	l.reading.Lock()
	defer l.reading.Unlock()
	l.mu.Lock()
	closed := l.closed
	l.mu.Unlock()
	if closed {
		return 0, net.ErrClosed
	}
	return l.leg.Read(p)
}

// Close implements net.Conn.
func (l *lent) Close() error {
	l.mu.Lock()
	l.closed = true
	l.leg.SetReadDeadline(time.Unix(1, 0))
	l.mu.Unlock()
	l.reading.Lock() // when the reader has left
	defer l.reading.Unlock()
	return nil
}

// SetReadDeadline implements net.Conn.
func (l *lent) SetReadDeadline(t time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return net.ErrClosed
	}
	return l.leg.SetReadDeadline(t)
}

// SetDeadline implements net.Conn.
func (l *lent) SetDeadline(t time.Time) error {
	return errors.Join(l.SetReadDeadline(t), l.SetWriteDeadline(t))
}

func (l *lent) Write(p []byte) (int, error)        { return l.leg.Write(p) }
func (l *lent) LocalAddr() net.Addr                { return l.leg.LocalAddr() }
func (l *lent) RemoteAddr() net.Addr               { return l.leg.RemoteAddr() }
func (l *lent) SetWriteDeadline(t time.Time) error { return l.leg.SetWriteDeadline(t) }
