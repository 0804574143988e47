// Package facts reads the cleartext of a session for the audit entry. It finds web
// requests with their answers (HTTP/1.x, HTTP/2), messages with sender, recipients and
// subject (SMTP, IMAP, POP3), logins (SMTP, IMAP, POP3, FTP) and transfers of files (FTP).
//
// It reads headers only. It passes over content by its length, without a copy and
// without an allocation. Its memory is bounded for any input: it keeps the first
// exchanges and messages, each with a bounded number of octets, and counts all.
//
// If a session breaks its protocol, or a bound, the package stops reading and keeps
// its results. An entry is thus no proof that there was nothing else. The package
// keeps no content, no cookies and no credentials. It keeps queries of requests
// only on demand, because they often hold tokens and passwords. A path may hold
// them, too.
package facts

import (
	"bytes"
	"strings"

	"github.com/clearspan/clearspan/appliance/dissect"
	"github.com/clearspan/clearspan/decrypt/proto"
)

// Exchange is a request and its answer.
type Exchange struct {
	// The method of the request.
	Method string `json:"method"`
	// The host of the request, with its port if it names one. Empty if it names no host, or
	// can be taken for several.
	Host string `json:"host"`
	// The path of the request, without the query unless `audit.queries` is true. At most
	// 512 octets.
	Path string `json:"path"`
	// The status of the answer. 0 if no answer came.
	Status int `json:"status"`
	// The media type of the answer, without parameters. Empty if it has none.
	Type string `json:"type"`
	// Octets of the answer's content as the origin sent it, compressed or not.
	Length uint64 `json:"length"`
}

// Mail is a message that a client gave an origin, or fetched from it.
type Mail struct {
	// True if the client fetched the message, by IMAP or POP3.
	Fetched bool `json:"fetched"`
	// The sender of the envelope, without brackets. Empty for a bounce. By IMAP and POP3, the
	// first address of the field From.
	From string `json:"from"`
	// The first 16 recipients of the envelope, without brackets. By IMAP and POP3, the first 16
	// addresses of the field To.
	To []string `json:"to"`
	// The subject, at most 512 octets. Empty without one.
	Subject string `json:"subject"`
	// The message identifier. Empty without one.
	MessageID string `json:"message_id"`
	// The reply code of the origin to the message. 0 if none came, and by IMAP and POP3. With
	// LMTP, the highest of the replies, one for each recipient.
	Reply int `json:"reply"`
}

// Login is a login of a client.
type Login struct {
	// The name of the user, at most 320 octets. Empty if the mechanism does not tell it.
	User string `json:"user"`
	// The mechanism of SASL, or the command: `LOGIN`, `PLAIN`, `USER`, `APOP`, `XOAUTH2` and
	// others.
	Mechanism string `json:"mechanism"`
	// The answer of the origin: `granted`, `refused`, or `unanswered` if none came.
	Outcome string `json:"outcome"`
}

// Transfer is a file that a client of FTP gets or puts.
type Transfer struct {
	// The name, as the client says it, at most 512 octets. Empty if the origin chooses it.
	Name string `json:"name"`
	// The direction of the content: `client_to_origin` or `origin_to_client`.
	Direction string `json:"direction"`
	// The last reply code of the origin. 0 if none came.
	Reply int `json:"reply"`
}

// Report is what was found.
type Report struct {
	HTTP      []Exchange // the first 32
	HTTPTotal uint64
	Mail      []Mail // the first 32
	MailTotal uint64

	Logins         []Login // the first 32
	LoginsTotal    uint64
	Transfers      []Transfer // the first 32
	TransfersTotal uint64
}

// Bounds of a report, octets of each text cut to them.
const (
	maxKept       = 32
	maxRecipients = 16
	maxMethod     = 32
	maxHost       = 255
	maxPath       = 512
	maxType       = 128
	maxAddress    = 320 // RFC 5321, Section 4.5.3.1, and the sign between
	maxSubject    = 512
	maxID         = 255
)

// Options of a [Session].
type Options struct {
	Queries bool // keep the queries of requests, too
}

// Session reads one session. It is not safe for concurrent use. The zero value is
// not ready, see [New].
type Session struct {
	dissector *dissect.Session
	notes     notes
}

// notes are what was found so far.
type notes struct {
	queries bool
	brief   func() // asks for no more than numbers
	http    []Exchange
	total   uint64    // of requests
	talk    *dialogue // nil until there is something of it
}

// dialogue is what was found of mail, logins and transfers.
type dialogue struct {
	Report           // without requests
	mail    Mail     // under way, with its envelope
	numbers []uint64 // of the messages that are kept
}

// New returns a Session at its beginning.
func New(o Options) *Session {
	s := &Session{notes: notes{queries: o.Queries}}
	s.dissector = dissect.New(&s.notes, nil)
	s.notes.brief = s.dissector.Brief
	return s
}

// Data reads octets that are relayed in a direction, in the order in which they
// are. It borrows p until it returns, and does not allocate for content.
func (s *Session) Data(dir proto.Direction, p []byte) { s.dissector.Data(dir, p) }

// Close ends the session and returns what was found. Later calls return the same.
func (s *Session) Close() Report {
	s.dissector.Close()
	return s.notes.report()
}

// Event implements [dissect.Sink].
func (n *notes) Event(e dissect.Event) {
	switch e := e.(type) {
	case *dissect.Request:
		n.request(e)
	case *dissect.Answer:
		if x, ok := e.Tag.(*Exchange); ok {
			x.Status, x.Type = e.Status, mediaType(e.Fields.Get("content-type"))
		}
	case *dissect.Login:
		n.login(e)
	case *dissect.Transfer:
		n.transfer(e)
	case *dissect.End:
		n.end(e)
	case *dissect.Sender, *dissect.Recipient, *dissect.Message, *dissect.Header, *dissect.Reply:
		n.dialogue().message(e)
	}
}

// dialogue returns where to note what is no request.
func (n *notes) dialogue() *dialogue {
	if n.talk == nil {
		n.talk = new(dialogue)
	}
	return n.talk
}

// report returns what was found so far.
func (n *notes) report() (r Report) {
	if n.talk != nil {
		r = n.talk.Report
	}
	r.HTTP, r.HTTPTotal = n.http, n.total
	return r
}

func (n *notes) login(e *dissect.Login) {
	d := n.dialogue()
	if d.LoginsTotal++; len(d.Logins) < maxKept {
		d.Logins = append(d.Logins, Login{clip(e.User, maxAddress), clip([]byte(e.Mechanism), maxMethod), e.Outcome.String()})
	}
}

func (n *notes) transfer(e *dissect.Transfer) {
	d := n.dialogue()
	if d.TransfersTotal++; len(d.Transfers) < maxKept {
		d.Transfers = append(d.Transfers, Transfer{clip(e.Name, maxPath), e.Direction.String(), e.Code})
	}
}

// request counts a request and keeps it if there may be room.
func (n *notes) request(r *dissect.Request) {
	n.total++
	if len(n.http) >= maxKept || r.Exchange == nil {
		return
	}
	path := r.Path
	if path == nil {
		path = r.Target
	}
	r.Tag = &Exchange{Method: clip(r.Method, maxMethod), Host: authority(r.Host), Path: n.path(path)}
}

// end keeps an exchange whose answer is over, or a message that is whole.
func (n *notes) end(e *dissect.End) {
	switch x := e.Tag.(type) {
	case *Exchange:
		if e.Direction == proto.ClientToOrigin || len(n.http) >= maxKept {
			return
		}
		x.Length = e.Octets
		if n.http = append(n.http, *x); len(n.http) == maxKept {
			n.brief()
		}
	case *Mail:
		if e.How != dissect.Complete {
			return
		}
		d := n.dialogue()
		d.MailTotal++
		if len(d.Mail) < maxKept {
			d.Mail, d.numbers = append(d.Mail, *x), append(d.numbers, e.Number)
		}
	}
}

// authority returns host and port as they stand in a URL, "" without a host.
func authority(h dissect.Host) string {
	name := clip(h.Name, maxHost)
	if strings.Contains(name, ":") {
		name = "[" + name + "]"
	}
	if len(h.Port) > 0 {
		name += ":" + string(h.Port)
	}
	return name
}

// path returns what is kept of a path.
func (n *notes) path(p []byte) string {
	p, _, _ = bytes.Cut(p, []byte{'#'})
	if !n.queries {
		p, _, _ = bytes.Cut(p, []byte{'?'})
	}
	return clip(p, maxPath)
}

// mediaType returns a media type without its parameters.
func mediaType(b []byte) string {
	b, _, _ = bytes.Cut(b, []byte{';'})
	return clip(bytes.ToLower(bytes.TrimSpace(b)), maxType)
}

// clip returns at most n octets of b as valid UTF-8.
func clip(b []byte, n int) string {
	return strings.ToValidUTF8(string(b[:min(len(b), n)]), "\uFFFD")
}
