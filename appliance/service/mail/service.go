package mail

import (
	"context"
	"errors"
	"fmt"
	"sync"
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

// session is one SMTP session.
type session struct {
	cfg    *Config
	ctx    context.Context
	s      *decrypt.Session
	client *lines // commands and content
	origin *lines // replies
	toOne  decrypt.End
	toAll  decrypt.End

	writing sync.Mutex // to the client

	mu         sync.Mutex
	cond       sync.Cond
	queue      []pending
	over       error // why no reply comes any more; nil: they come
	rcpts      int   // recipients that were accepted
	from       string
	to         []string
	challenged bool // the last AUTH goes on

	// Of the goroutine that reads commands.
	word     string // result so far
	messages int
	bdat     *content // chunks so far, nil without
}

// Carry implements decrypt.Service.
func (m *Service) Carry(ctx context.Context, s *decrypt.Session, client, origin decrypt.End) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	x := &session{cfg: &m.cfg, ctx: ctx, s: s, client: newLines(client), origin: newLines(origin), toOne: client, toAll: origin}
	x.cond.L = &x.mu
	if s.Protocol != "smtp" { // else it was in the dialogue that told so
		x.queue = append(x.queue, pending{kind: greeting})
	}
	defer func() { x.bdat.close() }()

	var once sync.Once
	var first error
	failed := func(err error) {
		if err != nil && !errors.Is(err, errOver) {
			once.Do(func() {
				first = err
				cancel()
				client.Abort()
				origin.Abort()
			})
		}
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		err := decrypt.Contain(x.replies)
		failed(err)
		x.ended(err)
	})
	failed(decrypt.Contain(x.commands))
	wg.Wait()
	return first
}

// served notes what became of a message.
func (x *session) served(word string, took time.Duration) {
	if severity[word] > severity[x.word] {
		x.word = word
		x.s.Served(x.cfg.Name, word)
	}
	if x.cfg.Observe != nil {
		x.cfg.Observe(x.cfg.Name, word, took)
	}
}
