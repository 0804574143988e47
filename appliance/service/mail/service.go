package mail

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/clearspan/clearspan/appliance/service/icap"
	"github.com/clearspan/clearspan/decrypt"
	"github.com/clearspan/clearspan/decrypt/sniff"
)

// Adapter decides about messages. *icap.Client is one.
type Adapter interface {
	Adapt(ctx context.Context, m *icap.Message) (*icap.Result, error)
}

// Config configures a [Service]. Name and Adapter are required.
type Config struct {
	Name    string // of the service, as in the audit entry
	Adapter Adapter

	// FailOpen lets messages pass that the service fails for. Otherwise they are
	// answered 451 4.7.1, so that the client tries again.
	FailOpen bool

	// MaxMessage is the longest content that is held, in octets. Default 128 MiB. A
	// longer one is refused, by SMTP with 552 5.3.4.
	MaxMessage int64

	Memory int    // octets of a message that are kept in memory. Default 256 KiB
	Dir    string // of the files that hold the rest; "": the system's

	// Observe hears of each message: a word, and how long the service took. Nil:
	// nobody does. Called concurrently.
	Observe func(service, word string, took time.Duration)
}

// Words for what became of a message, as in the audit entry, mildest first.
const (
	WordUnmodified   = "unmodified"
	WordBypassed     = "bypassed"
	WordModified     = "modified"
	WordFailedOpen   = "failed-open"
	WordFailedClosed = "failed-closed"
	WordBlocked      = "blocked"
)

// severity orders words: the worst of a session's messages is its result.
var severity = map[string]int{
	WordUnmodified: 1, WordBypassed: 2, WordModified: 3, WordFailedOpen: 4, WordFailedClosed: 5, WordBlocked: 6,
}

// Service carries sessions of SMTP, IMAP and POP3. It is a decrypt.Service.
type Service struct {
	cfg    Config
	speaks sniff.Protocol // of the session, where its account does not tell; else Unknown
}

// New returns a service.
func New(cfg Config) (*Service, error) {
	if cfg.Name == "" || cfg.Adapter == nil {
		return nil, errors.New("make mail service: name and adapter are required")
	}
	if cfg.MaxMessage <= 0 {
		cfg.MaxMessage = 128 << 20
	}
	if cfg.Memory <= 0 {
		cfg.Memory = 256 << 10
	}
	return &Service{cfg: cfg}, nil
}

// protocolTLS is the word for a session whose TLS begins with its first octet.
const protocolTLS = "tls"

// Speaks reports whether a session that is about to be carried is known to be mail, by
// SMTP, IMAP or POP3, or a file of FTP. TLS that began with the first octet does not tell, see [Either].
func Speaks(s *decrypt.Session) bool {
	return s.Protocol == sniff.SMTP.String() || s.Protocol == sniff.IMAP.String() || s.Protocol == sniff.POP3.String() || s.Protocol == protocolData
}

// protocol returns the protocol of a session.
func (m *Service) protocol(s *decrypt.Session) sniff.Protocol {
	for _, p := range []sniff.Protocol{sniff.IMAP, sniff.POP3} {
		if m.speaks == p || s.Protocol == p.String() {
			return p
		}
	}
	return sniff.SMTP
}

// violation ends a session whose dialogue cannot be followed.
type violation struct {
	protocol string
	reason   string
	err      error
}

func (v *violation) Error() string { return fmt.Sprintf("follow %s dialogue: %v", v.protocol, v.err) }

// Reason is why the session ends, in the audit entry.
func (v *violation) Reason() string { return v.reason }

// The mail dialogue is not SMTP, or commands and replies are out of step.
// Cause: An attack, or a protocol that only resembles SMTP.
// Do: Examine the client. A rule with `services: none` passes the session.
const reasonViolation = "smtp-violation"

// The dialogue is not IMAP, or commands and responses are out of step.
// Cause: An attack, or a protocol that only resembles IMAP.
// Do: Examine the client. A rule with `services: none` passes the session.
const reasonIMAP = "imap-violation"

// The dialogue is not POP3, or commands and replies are out of step.
// Cause: An attack, or a protocol that only resembles POP3.
// Do: Examine the client. A rule with `services: none` passes the session.
const reasonPOP3 = "pop3-violation"

func violated(format string, args ...any) error {
	return violatedSMTP(fmt.Errorf(format, args...))
}

func violatedSMTP(err error) error { return &violation{"SMTP", reasonViolation, err} }
func violatedIMAP(err error) error { return &violation{"IMAP", reasonIMAP, err} }
func violatedPOP3(err error) error { return &violation{"POP3", reasonPOP3, err} }
