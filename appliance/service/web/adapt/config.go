package adapt

import (
	"net/netip"
	"time"

	"github.com/clearspan/clearspan/decrypt"
)

// Passage says what becomes of octets that are not HTTP. The zero value is [Pass].
type Passage string

const (
	Pass Passage = "pass"
	// Known passes sessions of protocols that package sniff recognizes, by the first
	// octets of both ends. It blocks the others.
	Known Passage = "known"
	// Scan shows the messages of WebSocket to the services, and blocks what is not
	// WebSocket. Of upgrades only.
	Scan  Passage = "scan"
	Block Passage = "block"
)

// Passes reports whether octets that nobody reads may pass.
func (p Passage) Passes() bool { return p != Scan && p != Block }

// Stricter returns that of two passages which lets less pass.
func Stricter(a, b Passage) Passage {
	for _, p := range []Passage{Block, Scan, Known} {
		if a == p || b == p {
			return p
		}
	}
	return Pass
}

// Config configures an engine of HTTP.
type Config struct {
	Services []Service // in order from the client

	Upgrade Passage // WebSocket, CONNECT: what follows a granted one
	Foreign Passage // sessions that do not begin as HTTP

	// Own are protocols, by their words, that other parts of the services are for. With
	// Known they are blocked where they are met here: nothing would look at them.
	Own []string

	// Whole takes Range and If-Range out of requests whose responses a service wants,
	// so that origins answer with the whole.
	Whole bool

	// Replay is how many octets of a body are kept while a service with FailOpen
	// reads it, so that it can be passed on after a failure. Default 64 KiB.
	Replay int

	// Stall ends the wait for a service that has not answered while the sender of
	// an HTTP/2 message is silent: it may be waiting for an answer itself. That is
	// a failure of the service. Default 30 s.
	Stall time.Duration

	// Observe hears of each message shown to a service: its word, and how long it
	// took to decide. Nil: nobody does. Called concurrently.
	Observe func(service, word string, took time.Duration)

	// Linger is how long a client may take to read its last page. Default 1 s.
	Linger time.Duration

	// User names who the client of a session is; nil: nobody knows.
	User func(*decrypt.Session) string

	held *held // of all sessions
}

// WithDefaults returns the configuration with defaults in place of zeros.
func (c Config) WithDefaults() Config {
	if c.Replay == 0 {
		c.Replay = 64 << 10
	}
	if c.Linger == 0 {
		c.Linger = time.Second
	}
	if c.Stall == 0 {
		c.Stall = 30 * time.Second
	}
	c.held = &held{clients: make(map[netip.Addr]int)}
	return c
}
