// Package blockpage answers HTTP clients whose session was refused. It renders one
// page with the reason, from a template that operators can replace. It answers by
// HTTP/1.1 or HTTP/2 and closes the connection. The page shows octets of the client
// only in escaped form. The package reads the head of the request and no more, but for
// the form by which users ask for an exception.
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
	"strings"
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
	Contact     string // whom users turn to, as the operator wrote it; "" for nobody
	ContactLink string // Contact as a link: an https URL, or mailto for a mail address; "" for none
	Ask         string // where a form with the field reason asks for an exception by POST; "" for nowhere
	Asked       bool   // the client has just done so
}

// Options are what operators choose.
type Options struct {
	// Page is the file of a template (html/template) in place of the built-in page;
	// empty for that.
	Page string
	// Contact is whom users turn to: a mail address, a URL, or any text.
	Contact string
	// Exceptions has the page offer a form to ask for an exception.
	Exceptions bool
}

// Page is a template. It is safe for concurrent use.
type Page struct {
	template *template.Template
	contact  string
	ask      Ask // nil: no form
}

// Ask takes what a user wrote who asks for an exception from the refusal of s, at most
// 500 characters, and reports whether it is kept. It borrows s.
type Ask func(s *decrypt.Session, reason string) bool

// New returns the page of o. ask is what becomes of its form; nil for no form.
func New(o Options, ask Ask) (*Page, error) {
	p, err := Load(o.Page)
	if err != nil {
		return nil, err
	}
	p.contact = o.Contact
	if o.Exceptions {
		p.ask = ask
	}
	return p, nil
}

// Load reads a template (html/template) of at most 1 MiB from a file, or takes
// the built-in one if file is "". A template that cannot be rendered is an error.
func Load(file string) (*Page, error) {
	if file == "" {
		return &Page{template: builtIn}, nil
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
	p := &Page{template: t}
	if _, err := p.execute(&Facts{Host: "www.example.test", Reason: "policy", Policy: true, Rule: "rule", Session: "0123456789abcdef"}); err != nil {
		return nil, fmt.Errorf("render block page: %v", err)
	}
	return p, nil
}

// HTML returns the page about a session that was refused. It reads fields of s
// that are set by then.
func (p *Page) HTML(s *decrypt.Session) []byte {
	facts := p.facts(s)
	return p.render(&facts)
}

// render executes the template, or the built-in one if it fails for these facts.
func (p *Page) render(facts *Facts) []byte {
	if html, err := p.execute(facts); err == nil {
		return html
	}
	html, _ := (&Page{template: builtIn}).execute(facts)
	return html
}

// facts returns those of a session, with the contact.
func (p *Page) facts(s *decrypt.Session) Facts {
	f := factsOf(s)
	f.Contact = p.contact
	switch {
	case strings.HasPrefix(f.Contact, "https://"), strings.HasPrefix(f.Contact, "http://"):
		f.ContactLink = f.Contact
	case strings.Count(f.Contact, "@") == 1 && !strings.ContainsAny(f.Contact, " <>:"):
		f.ContactLink = "mailto:" + f.Contact
	}
	return f
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
