package intake

import (
	"fmt"
	"net/netip"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
)

// Forwarded says what becomes of packets that come in on the interfaces of an intake
// and are routed on: no socket of the intake takes them. Packets to the box itself are
// not concerned.
type Forwarded struct {
	// Down may be DownBlock, which drops new connections to the ports while nobody takes
	// them. The rule stays when the process ends, however it ends, until [Remove] is
	// called or an intake of that name is opened without it. Since Linux 6.9, a flush of
	// the ruleset spares it while the process lives. Default DownPass.
	Down Down
	// Strays may be ResetStrays, which answers segments of connections that the intake
	// does not have with a reset: those to the ports that are neither SYN nor RST. The
	// other end learns of it by the next segment that it sends. Needs ports: without
	// them, answers of servers behind the interfaces would be reset. Default PassStrays.
	Strays Strays
	// QUIC may be BlockQUIC, which answers datagrams of QUIC with "port unreachable": to
	// port 443, if it is one of the ports, and to every port with a long header of
	// version 1, 2 or a draft (RFC 9000, RFC 9369). Default PassQUIC.
	QUIC QUIC
	// Exempt are addresses for which neither ResetStrays nor BlockQUIC holds.
	Exempt Exempt
}

// Exempt are addresses of one end: one of them suffices.
type Exempt struct{ Clients, Origins []netip.Prefix }

// MaxExempt is how many prefixes an [Exempt] may hold.
const MaxExempt = 4096

// check reports whether there are too many.
func (e Exempt) check() error {
	if n := len(e.Clients) + len(e.Origins); n > MaxExempt {
		return fmt.Errorf("set exempt addresses: %d prefixes, at most %d", n, MaxExempt)
	}
	return nil
}

// Routed is an intake for routed traffic.
type Routed interface {
	Intake
	// SetExempt replaces the exempt addresses.
	SetExempt(Exempt) error
	// Succeeded says that another process runs the intake, too: Close removes rules that
	// would stay.
	Succeeded()
	// Counts returns how many packets were forwarded or refused so far. Safe for
	// concurrent use.
	Counts() (Counts, error)
}

// Counts are packets by what became of them, in fixed words.
type Counts struct {
	Strays map[string]uint64 // segments of connections that are not ours: "reset", "passed"
	QUIC   map[string]uint64 // datagrams of QUIC: "refused"; and those with a long header: "passed"
}

// Names of counters in the table.
const (
	countBlocked = "blocked"
	countReset   = "strays_reset"
	countStrays  = "strays_passed"
	countRefused = "quic_refused"
	countQUIC    = "quic_passed"
)

// Counts implements [Routed].
func (f *forwardedTable) Counts() (Counts, error) {
	n := Counts{
		Strays: map[string]uint64{"reset": 0, "passed": 0},
		QUIC:   map[string]uint64{"refused": 0, "passed": 0},
	}
	if f.idle() {
		return n, nil
	}
	c, err := nftables.New()
	if err != nil {
		return n, fmt.Errorf("open nftables: %w", err)
	}
	for _, name := range []string{f.name().Name, f.quicName()} {
		table := &nftables.Table{Family: nftables.TableFamilyINet, Name: name}
		objects, err := dump(func() ([]nftables.Obj, error) { return c.GetNamedObjects(table) })
		if err != nil {
			return n, fmt.Errorf("read nftables counters: %w", err)
		}
		for _, o := range objects {
			n.add(o)
		}
	}
	return n, nil
}

// add counts what a counter of a table has.
func (n Counts) add(o nftables.Obj) {
	named, ok := o.(*nftables.NamedObj)
	if !ok {
		return
	}
	counter, ok := named.Obj.(*expr.Counter)
	if !ok {
		return
	}
	switch named.Name {
	case countReset:
		n.Strays["reset"] += counter.Packets
	case countStrays:
		n.Strays["passed"] += counter.Packets
	case countRefused:
		n.QUIC["refused"] += counter.Packets
	case countQUIC:
		n.QUIC["passed"] += counter.Packets
	}
}
