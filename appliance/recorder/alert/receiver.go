package alert

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net"
	"net/http"
	"net/smtp"
	"net/url"
	"os"
	"strings"
	"time"
)

// Parse reads the address of a receiver:
//
//	smtp://HOST:PORT/?to=ADDR,ADDR&from=ADDR   mail; STARTTLS if the server offers it
//	smtps://HOST:PORT/?to=ADDR                 mail over TLS, or not at all
//	https://HOST/PATH?secret-file=FILE         POST of JSON, signed by HMAC-SHA256 in X-Signature-256
//	syslog+tls://HOST:PORT                     syslog (RFC 5424) with a body of CEF; also syslog+tcp, syslog+udp
//
// The certificate of a server of mail or syslog must be valid for its name, or the one in
// name=NAME, and be signed by an authority of the system, or one of the PEM file in ca=FILE.
// certificate=FILE and key=FILE are what syslog+tls shows of itself.
//
// http is taken for loopback addresses only.
//
// NAME= may stand in front, with letters, digits, - and _. A receiver without a name is called
// like the host that its address has.
func Parse(address string) (Receiver, error) {
	name, rest, found := strings.Cut(address, "=")
	if !found || strings.ContainsFunc(name, notOfName) {
		return parse(address)
	}
	r, err := parse(rest)
	if err != nil || name == "" {
		return r, err
	}
	return called{r, name}, nil
}

func notOfName(r rune) bool {
	return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-' || r == '_')
}

// called is a receiver with a name.
type called struct {
	Receiver
	name string
}

func (c called) Name() string { return c.name }

func parse(address string) (Receiver, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	if u.User != nil {
		return nil, fmt.Errorf("%s: no password in an address", u.Redacted())
	}
	switch u.Scheme {
	case "smtp", "smtps":
		return parseMail(u)
	case "http", "https":
		return parseHook(u)
	case "syslog+tls", "syslog+tcp", "syslog+udp":
		return parseSyslog(u)
	}
	return nil, fmt.Errorf("%s: want smtp, smtps, https, or syslog+tls", address)
}

// letters sends alerts by SMTP.
type letters struct {
	server string // with its port
	host   string
	name   string         // for which its certificate must be valid
	roots  *x509.CertPool // nil: those of the system
	tls    bool
	from   string
	to     []string
}

func parseMail(u *url.URL) (Receiver, error) {
	q := u.Query()
	m := &letters{server: u.Host, host: u.Hostname(), name: q.Get("name"), tls: u.Scheme == "smtps", from: q.Get("from")}
	if m.name == "" {
		m.name = m.host
	}
	var err error
	if m.roots, err = authorities(q.Get("ca")); err != nil {
		return nil, err
	}
	for a := range strings.SplitSeq(u.Query().Get("to"), ",") {
		if a = strings.TrimSpace(a); a != "" {
			m.to = append(m.to, a)
		}
	}
	if u.Port() == "" {
		port := "25"
		if m.tls {
			port = "465"
		}
		m.server = net.JoinHostPort(u.Hostname(), port)
	}
	if m.from == "" && len(m.to) > 0 {
		m.from = "clearspan@" + m.to[0][strings.LastIndexByte(m.to[0], '@')+1:]
	}
	for _, a := range append(m.to, m.from) {
		if strings.ContainsAny(a, "\r\n<> ") || !strings.Contains(a, "@") {
			return nil, fmt.Errorf("%q is no address of mail", a)
		}
	}
	if len(m.to) == 0 || m.host == "" {
		return nil, errors.New("an alert by mail wants smtp://HOST/?to=ADDR")
	}
	return m, nil
}

func (m *letters) Name() string { return m.server }

func (m *letters) Send(ctx context.Context, a *Alert) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", m.server)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })()
	config := &tls.Config{ServerName: m.name, RootCAs: m.roots}
	if m.tls {
		conn = tls.Client(conn, config)
	}
	c, err := smtp.NewClient(conn, m.host)
	if err != nil {
		return err
	}
	if offered, _ := c.Extension("STARTTLS"); offered && !m.tls {
		if err := c.StartTLS(config); err != nil {
			return err
		}
	}
	if err := c.Mail(m.from); err != nil {
		return err
	}
	for _, to := range m.to {
		if err := c.Rcpt(to); err != nil {
			return err
		}
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := w.Write(m.message(a, time.Now())); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return c.Quit()
}

// message writes an alert as a mail (RFC 5322). Nothing that strangers wrote gets into the
// header otherwise than encoded.
func (m *letters) message(a *Alert, now time.Time) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "From: <%s>\r\nTo: <%s>\r\n", m.from, strings.Join(m.to, ">, <"))
	fmt.Fprintf(&b, "Subject: %s\r\n", mime.BEncoding.Encode("utf-8", "clearspan: "+oneLine(a.Title())))
	id := sha256.Sum256([]byte(a.Findings[0].Event + a.Findings[0].Detector + a.Findings[0].Object))
	fmt.Fprintf(&b, "Date: %s\r\nMessage-ID: <%s@%s>\r\n", now.Format(time.RFC1123Z), hex.EncodeToString(id[:12]), m.from[strings.LastIndexByte(m.from, '@')+1:])
	b.WriteString("MIME-Version: 1.0\r\nAuto-Submitted: auto-generated\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n")
	text := base64.StdEncoding.EncodeToString([]byte(a.Text()))
	for len(text) > 76 {
		b.WriteString(text[:76] + "\r\n")
		text = text[76:]
	}
	b.WriteString(text + "\r\n")
	return b.Bytes()
}

func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, s)
}

// hook posts alerts.
type hook struct {
	url    string
	name   string
	secret []byte
	client *http.Client
}

func parseHook(u *url.URL) (Receiver, error) {
	if ip := net.ParseIP(u.Hostname()); u.Scheme == "http" && u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, fmt.Errorf("%s: want https", u)
	}
	q := u.Query()
	h := &hook{client: &http.Client{Timeout: sendLimit, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	if file := q.Get("secret-file"); file != "" {
		secret, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		if h.secret = bytes.TrimSpace(secret); len(h.secret) < 16 {
			return nil, fmt.Errorf("%s has less than 16 octets", file)
		}
	}
	q.Del("secret-file")
	u.RawQuery = q.Encode()
	h.url, h.name = u.String(), u.Host
	return h, nil
}

func (h *hook) Name() string { return h.name }

func (h *hook) Send(ctx context.Context, a *Alert) error {
	text, err := json.Marshal(struct {
		Title string `json:"title"`
		*Alert
	}{a.Title(), a})
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url, bytes.NewReader(text))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	if h.secret != nil {
		m := hmac.New(sha256.New, h.secret)
		m.Write(text)
		r.Header.Set("X-Signature-256", "sha256="+hex.EncodeToString(m.Sum(nil)))
	}
	answer, err := h.client.Do(r)
	if err != nil {
		return err
	}
	answer.Body.Close()
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("the answer is %s", answer.Status)
	}
	return nil
}
