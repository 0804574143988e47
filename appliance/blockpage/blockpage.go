// Package blockpage answers HTTP clients whose session was refused. It renders one
// page with the reason, from a template that operators can replace. It answers by
// HTTP/1.1 or HTTP/2 and closes the connection. The page shows octets of the client
// only in escaped form. The package reads the head of the request and no more.
package blockpage

import (
	"bytes"
	"cmp"
	_ "embed"
	"errors"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/clearspan/clearspan/decrypt"
)

//go:embed page.html
var builtInText string

var builtIn = template.Must(template.New("page").Parse(builtInText))

const (
	maxTemplate = 1 << 20 // octets of a file
	maxPage     = 4 << 20 // octets of a page
)

// Facts are what a template can show. All of them are text; what comes from the
// client is Host.
type Facts struct {
	Host        string // that the client asked for: server name, Host, CONNECT name, or address
	Reason      string // a fixed word, as in the audit entry
	Explanation string // Reason in a sentence
	Policy      bool   // a rule refused, not a fault of the origin
	Rule        string // name of the rule that decided
	Session     string // identifier, as in the audit entry
	Client      string // address
	Time        string // RFC 3339, UTC
}

// Page is a template. It is safe for concurrent use.
type Page struct{ template *template.Template }

// Load reads a template (html/template) of at most 1 MiB from a file, or takes
// the built-in one if file is "". A template that cannot be rendered is an error.
func Load(file string) (*Page, error) {
	if file == "" {
		return &Page{builtIn}, nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("read block page: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxTemplate+1))
	if err != nil {
		return nil, fmt.Errorf("read block page: %w", err)
	}
	if len(text) > maxTemplate {
		return nil, fmt.Errorf("read block page: %s has more than %d octets", file, maxTemplate)
	}
	t, err := template.New("page").Parse(string(text))
	if err != nil {
		return nil, fmt.Errorf("read block page: %v", err)
	}
	p := &Page{t}
	if _, err := p.execute(&Facts{Host: "www.example.test", Reason: "policy", Policy: true, Rule: "rule", Session: "0123456789abcdef"}); err != nil {
		return nil, fmt.Errorf("render block page: %v", err)
	}
	return p, nil
}

// HTML returns the page about a session that was refused. It reads fields of s
// that are set by then.
func (p *Page) HTML(s *decrypt.Session) []byte {
	facts := factsOf(s)
	if html, err := p.execute(&facts); err == nil {
		return html
	}
	html, _ := (&Page{builtIn}).execute(&facts) // a template that fails for some facts only
	return html
}

// Status is the status of the answer: 403 for what a rule refused, 502 for an
// origin that is not let through.
func Status(s *decrypt.Session) int {
	if s.Outcome == decrypt.Terminated {
		return http.StatusForbidden
	}
	return http.StatusBadGateway
}

func (p *Page) execute(f *Facts) ([]byte, error) {
	out := limited{}
	err := p.template.Execute(&out, f)
	return out.Bytes(), err
}

func factsOf(s *decrypt.Session) Facts {
	f := Facts{
		Host:        cmp.Or(s.SNI, s.Host, s.Name),
		Reason:      s.Reason,
		Explanation: explain(s.Reason, s.Decision.Rule),
		Policy:      s.Outcome == decrypt.Terminated,
		Rule:        s.Decision.Rule,
		Session:     s.ID,
		Time:        s.Start.UTC().Format(time.RFC3339),
	}
	if s.Client.IsValid() {
		f.Client = s.Client.Addr().Unmap().String()
	}
	if f.Host == "" && s.Origin.IsValid() {
		f.Host = s.Origin.Addr().Unmap().String()
	}
	return f
}

// limited is a buffer of at most maxPage octets.
type limited struct{ bytes.Buffer }

var errTooLong = errors.New("page is too long")

func (l *limited) Write(p []byte) (int, error) {
	if l.Len()+len(p) > maxPage {
		return 0, errTooLong
	}
	return l.Buffer.Write(p)
}
