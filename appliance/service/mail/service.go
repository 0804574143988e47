package mail

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/clearspan/clearspan/appliance/service/icap"
	"github.com/clearspan/clearspan/decrypt"
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
	// longer one is answered 552 5.3.4.
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

// Service carries SMTP sessions. It is a decrypt.Service.
type Service struct{ cfg Config }

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
	return &Service{cfg}, nil
}

// Speaks reports whether a session that is about to be carried is SMTP: it was
// found to be, or it is TLS on the port of SMTP over TLS (RFC 8314) without a word
// about another protocol.
func Speaks(s *decrypt.Session) bool {
	return s.Protocol == "smtp" || s.Protocol == "tls" && s.ALPN == "" && s.Origin.Port() == 465
}

// violation ends a session whose dialogue cannot be followed.
type violation struct{ err error }

func (v *violation) Error() string { return fmt.Sprintf("follow SMTP dialogue: %v", v.err) }

// Reason is why the session ends, in the audit entry.
func (v *violation) Reason() string { return reasonViolation }

// The mail dialogue is not SMTP, or commands and replies are out of step.
// Cause: An attack, or a protocol that only resembles SMTP.
// Do: Examine the client. A rule with `services: none` passes the session.
const reasonViolation = "smtp-violation"

func violated(format string, args ...any) error { return &violation{fmt.Errorf(format, args...)} }
