package wire

import (
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/clearspan/clearspan/appliance/admission"
	"github.com/clearspan/clearspan/appliance/intake"
	"github.com/clearspan/clearspan/decrypt"
	"github.com/clearspan/clearspan/decrypt/policy"
)

// Takeover says when a connection is taken.
type Takeover string

const (
	Late   Takeover = "late"   // at the client's first payload, after the real handshake
	Accept Takeover = "accept" // at the SYN
)

// Link says what becomes of a leg while the other one has no carrier.
type Link string

const (
	Each Link = "each" // it stays up
	Both Link = "both" // it is taken down
)

// Decision is what to do with a connection whose first payload is held.
type Decision uint8

const (
	Take     Decision = iota // make sockets of it
	Pass                     // it goes on end to end, unseen
	NeedMore                 // more octets are needed to tell
)

// Config describes a wire.
type Config struct {
	// Legs are the names of the two interfaces, clients usually behind the first.
	// They bear no addresses and belong to no bridge. The network namespace of
	// the process loses them to the wire's.
	Legs     [2]string
	Takeover Takeover    // default Late
	Down     intake.Down // default DownWire
	// DownUnsafe has a wire with DownWire start where its pins and names end with the
	// process, see [netspace.Lasting]: a killed one then cuts the cable.
	DownUnsafe bool
	// Join has [New] take over from a process that runs the wire. That one must let its
	// sessions end soon, and take no more, see [Intake.Taking]; they lose nothing.
	// Without Join, New returns ErrInUse.
	Join bool
	// Link has a leg follow the other one's carrier, so that the device beyond learns
	// that the path is cut, while the process runs. Its end sets both legs up. A killed
	// one leaves them as they are, until the next start.
	Link Link // default Each
	// QUIC is what becomes of UDP to port 443 or with a long header of a known version,
	// which cannot be taken. [intake.Options].QUIC is asked about each flow, if it is
	// set. QUIC passes while nobody takes connections and Down is DownWire. Default
	// PassQUIC.
	QUIC intake.QUIC
	// Open has frames of selected connections pass that cannot be judged: fragments,
	// IP options, foreign tags, malformed ones, those of unknown connections and
	// those that are not decided on in time. They are dropped otherwise, while
	// somebody takes connections.
	Open bool
	// Overload is what becomes of selected connections for which there is no room:
	// Refuse drops their frames, and TCP sends them again. Default Refuse.
	Overload admission.Overload
	// Grace is how long connections are let pass that are older than a wire; 0: 10 s.
	// A wire that is taken over knows its connections, and has none.
	Grace time.Duration
	// Sessions is how many connections may be taken at once; 0: 100,000.
	Sessions int
	// Ports are the destination ports of connections that are taken, whichever
	// leg they come from; none: every port.
	Ports []policy.PortRange
	// Exempt are connections that are never taken, by address; see also
	// [Intake.SetExempt].
	Exempt intake.Exempt // at most [MaxExempt]

	// Decide is asked about a connection from the client's first octets on: at
	// least one, and all that it sent so far. It borrows both until it returns.
	// in has neither Conn nor Dial. It is called concurrently, for one connection by
	// one goroutine, which holds up others meanwhile: it must not block. When no more
	// octets come, what is undecided is taken. nil takes everything. Late only.
	Decide func(in *decrypt.Incoming, flight []byte) Decision

	// Copy has frames copied that are not taken.
	Copy Copy

	// Dropped is told of frames that were dropped because they could not be judged: of
	// each cause at most once a minute, and of what is left at the end. It is called by
	// one goroutine. It may be nil.
	Dropped func(Drops)

	judgesQUIC bool // somebody judges QUIC

	// Stall is how long the process may stand still before the wire counts as down;
	// 0: 100 ms. While the process runs, a loop that takes connections may be late
	// for a second, or for Stall if that is more.
	Stall time.Duration
	// Recover is how long it must run again after that, but no longer than it stood
	// still, or after a restart over a wire that exists, before connections are
	// taken; 0: 500 ms.
	Recover time.Duration
}

// MaxExempt is how many prefixes [Config].Exempt may hold.
const MaxExempt = 65_000

// Copy selects frames of which a copy leaves by another port, at most as long as
// the legs' MTU and with all checksums complete, tagged as they were. They are
// copied whether or not a process runs the wire. A connection is copied from
// where it is decided that it passes, with [Late] the client's first payload.
type Copy struct {
	To       string // interface in the network namespace of the process; empty: no copies
	Plain    bool   // connections to ports that are not selected
	Tunneled bool   // other connections that pass
	Other    bool   // everything that is not TCP, or a part of it that is not looked into
}

// Limits that are not worth a setting, for all loops together.
const (
	undecidedLimit = 200 * time.Millisecond // a flight that says too little is taken then
	silentLimit    = time.Second            // as is one whose first octets have not come
	lateLoopLimit  = time.Second            // a loop may be late while its process runs
	holdLimit      = 3 * time.Second        // the kernel asks again about a held flow that nobody decides on
	flightLimit    = 72 << 10               // octets of frames held of one flow
	pendingFlows   = 16384                  // flows held at once; more are taken undecided
	pendingOctets  = 64 << 20               // of their frames, likewise
)

// maxName keeps names of namespaces and files short.
const maxName = 64

var nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]*$`)

// checkName refuses names that are no plain file names.
func checkName(name string) error {
	if !nameForm.MatchString(name) || len(name) > maxName {
		return fmt.Errorf("name %q: not 1 to %d letters, digits, dots, dashes", name, maxName)
	}
	return nil
}

// complete fills in defaults and reports what is wrong.
func (c Config) complete() (Config, error) {
	if c.Legs[0] == "" || c.Legs[1] == "" || c.Legs[0] == c.Legs[1] {
		return c, errors.New("not two legs")
	}
	for _, r := range c.Ports {
		if r.First == 0 || r.Last < r.First {
			return c, fmt.Errorf("ports %d-%d: not a range", r.First, r.Last)
		}
	}
	if c.Takeover == "" {
		c.Takeover = Late
	}
	if c.Down == "" {
		c.Down = intake.DownWire
	}
	if c.Stall <= 0 {
		c.Stall = 100 * time.Millisecond
	}
	if c.Grace <= 0 {
		c.Grace = 10 * time.Second
	}
	if c.Sessions <= 0 {
		c.Sessions = 100_000
	}
	if c.Recover <= 0 {
		c.Recover = 500 * time.Millisecond
	}
	return c, nil
}

// portBits returns the ports as the kernel's bitmap of 64-bit words.
func portBits(ranges []policy.PortRange) (words [1024]uint64) {
	for _, r := range ranges {
		for p := int(r.First); p <= int(r.Last); p++ {
			words[p/64] |= 1 << (p % 64)
		}
	}
	return words
}

// loopLimit is how long a loop may stand still while the process runs.
func (c *Config) loopLimit() time.Duration { return max(c.Stall, lateLoopLimit) }
