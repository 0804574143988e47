package decrypt

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/clearspan/clearspan/decrypt/clienthello"
	"github.com/clearspan/clearspan/decrypt/internal/handshake"
	"github.com/clearspan/clearspan/decrypt/internal/leg"
	"github.com/clearspan/clearspan/decrypt/internal/relay"
)

// RefusalOptions are what operators choose for clients whose session is refused:
// terminated by the policy, or blocked because of its origin.
type RefusalOptions struct {
	Answer RefusalAnswer // default TellRefused
	// HTTPS has the page also answer clients whose ClientHello was refused, unless they
	// speak no HTTP. What the policy terminates is shown under the authority that
	// clients trust, with a leaf for the name that they asked for; an origin that is
	// not trusted, or not known to own the name, under the untrusted one.
	HTTPS bool
}

// RefusalAnswer is how clients are told that their session is refused.
type RefusalAnswer string

const (
	// TellRefused answers in the client's own protocol: a TLS alert, a page by HTTP, an
	// error in answer to a proxy request or in a mail protocol. Others get a reset.
	TellRefused RefusalAnswer = "tell"
	// ResetRefused resets every connection, without a word.
	ResetRefused RefusalAnswer = "reset"
)

// Refusal is what clients are told whose session is refused. The zero value answers a
// ClientHello with an alert and a mail client with an error, and resets others.
type Refusal struct {
	RefusalOptions
	// Page answers an HTTP client on conn, whose request is unread, and returns
	// when the answer is written; nil: HTTP clients are reset. Reason of s is set.
	// conn is a *tls.Conn after its handshake, with h2 or no protocol other than
	// HTTP/1.1, or not encrypted. Page may close it. It is torn down if Page takes
	// longer than twice HandshakeTimeout.
	Page func(s *Session, conn net.Conn)
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
func refusal(reason string, err error, a handshake.Alert) error {
	return &failure{reason: reason, err: err, alert: a, refused: true}
}

// refuse tells the client of a session that ended with err why, if it was
// refused, and sees to it that what it was told arrives. It returns err.
func (s *session) refuse(ctx context.Context, err error) error {
	var f *failure
	switch {
	case !errors.As(err, &f):
		return err
	case f.reason == reasonClientTLS && !leg.IsTimeout(f.err): // crypto/tls has sent an alert
		f.told = true
		s.depart()
		return err
	case !f.refused && s.account.Outcome != Terminated:
		return err
	}
	s.account.Reason = f.reason // for the page
	s.account.Notice = s.notify(ctx, f)
	switch s.account.Notice {
	case NoticePage, NoticeLine:
		f.alert, f.told = 0, true
		s.depart()
	case NoticeReset:
		f.alert = 0
	}
	return err
}

// notify tells the client, except for an alert, which is sent when the session
// is closed.
func (s *session) notify(ctx context.Context, f *failure) Notice {
	if s.engine.cfg.Refusal.Answer == ResetRefused || s.clientTLS != nil {
		return NoticeReset
	}
	timer := time.AfterFunc(2*s.engine.cfg.Client.HandshakeTimeout, s.client.Abort)
	defer timer.Stop()
	hello, _, err := clienthello.Parse(s.client.Unread())
	switch page := s.engine.cfg.Refusal.Page; {
	case err == nil && page != nil && s.engine.cfg.Refusal.HTTPS && !s.legs.Moved(): // after STARTTLS nobody reads pages
		return s.securePage(ctx, hello, f.reason == reasonPolicy && f.err == nil && s.blameless())
	case err == nil:
		return NoticeAlert
	case page != nil && (s.account.Protocol == "http" || s.account.Protocol == "http2"):
		conn := s.client.Lend()
		page(s.account, conn)
		conn.Close()
		return NoticePage
	}
	line := s.errorLine()
	if line == "" || s.client.Send([]byte(line)) != nil {
		return NoticeReset
	}
	return NoticeLine
}

// blameless reports whether nothing speaks against the origin: it was judged to be
// good, or was not asked.
func (s *session) blameless() bool {
	return s.account.OriginTLS.Verdict == "ok" || s.account.OriginTLS.Verdict == "" && (s.lookup == nil || s.lookup.err == nil)
}

// securePage completes the client's handshake with a leaf for the name that it
// asked for, and lets it have the page.
func (s *session) securePage(ctx context.Context, hello *clienthello.Hello, trusted bool) Notice {
	protocols, ok := s.pageProtocols(hello)
	if !ok || !canAnswer(hello, s.engine.cfg.Client.MinTLS, s.showsOwn()) {
		return NoticeAlert
	}
	highest := uint16(tls.VersionTLS13)
	if v := s.account.OriginTLS.Version; v != 0 {
		highest = max(v, s.engine.cfg.Client.MinTLS)
	}
	var shown []tls.Certificate
	if s.in.Own != nil {
		shown = s.in.Own(s.serverName(), false)
	}
	if len(shown) == 0 {
		leaf, err := s.engine.cfg.Forger.Forge(ctx, nil, s.identity(), trusted, hello.SupportsECDSA(highest))
		if err != nil {
			return NoticeAlert
		}
		shown = []tls.Certificate{*leaf}
		s.account.Untrusted = !trusted
		if leaf.Leaf != nil {
			s.account.ForgedSerial = leaf.Leaf.SerialNumber.Text(16)
		}
	}
	cfg := &tls.Config{
		Certificates:           shown,
		MinVersion:             s.engine.cfg.Client.MinTLS,
		MaxVersion:             highest,
		CipherSuites:           handshake.GreenSuites,
		SessionTicketsDisabled: true,
		NextProtos:             protocols,
	}
	start := time.Now()
	under := s.client.Lend()
	conn := tls.Server(under, cfg)
	s.client.SetDeadline(start.Add(s.engine.cfg.Client.HandshakeTimeout))
	err := conn.Handshake()
	s.account.ClientTLS.Handshake = time.Since(start)
	if err != nil {
		return NoticeReset
	}
	s.client.SetDeadline(time.Time{})
	state := conn.ConnectionState()
	s.account.ALPN = state.NegotiatedProtocol
	s.account.ClientTLS.Version, s.account.ClientTLS.Cipher = state.Version, state.CipherSuite
	s.engine.cfg.Refusal.Page(s.account, conn)
	conn.Close()
	under.Close() // conn does not if its peer is gone
	return NoticePage
}

// pageProtocols returns those of a client's application protocols in which it can
// be shown a page. A client that names none is taken for one of the web where the
// web is expected.
func (s *session) pageProtocols(hello *clienthello.Hello) (protocols []string, ok bool) {
	if hello.ALPN == nil {
		return nil, s.account.Origin.Port() == 443
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
func (s *session) errorLine() string {
	protocol := s.account.Protocol
	if protocol == "" {
		protocol = map[uint16]string{25: "smtp", 587: "smtp", 143: "imap", 110: "pop3"}[s.account.Origin.Port()]
	}
	text := fmt.Sprintf("refused by the policy of this network (rule %s, session %s)\r\n", printable(s.account.Decision.Rule), s.account.ID)
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
func (s *session) depart() {
	s.client.CloseWrite() // a client that is gone will not read either
	s.client.SetReadDeadline(time.Now().Add(relay.CloseLinger))
	for n := 0; n < discarded; {
		n += len(s.client.Unread())
		s.client.Consume(len(s.client.Unread()))
		if s.client.Fill(true) != nil {
			return
		}
	}
}
