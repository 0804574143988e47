package intake

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"runtime/debug"
	"strconv"
	"sync"
	"time"

	"github.com/google/nftables"
	"golang.org/x/sys/unix"
)

// forwardedTable is a table of rules for packets that are forwarded, beside the table that
// leads connections to the listener; see forwardedrules_linux.go. It belongs to the
// process, and goes with it. If it blocks, it stays.
type forwardedTable struct {
	match  *nftMatch
	config Forwarded
	log    *slog.Logger
	count  func(Event)
	ask    func(client, origin netip.AddrPort, payload []byte) QUICVerdict // may be nil

	suffix     string // of the names of tables; empty: this process alone has some
	mu         sync.Mutex
	succeeded  bool        // another process has tables of its own
	table      *ownedTable // nil if the table does not belong to the process, or is not there
	noPersist  bool        // the kernel has no tables that belong to a process and stay
	exempt     exemptSets  // nil if there is no table
	quicTable  *quicTable  // nil: nobody looks at QUIC
	eventLimit throttle
}

func newForwardedTable(m *nftMatch, config Forwarded, o Options) (*forwardedTable, error) {
	if config.Strays == ResetStrays && len(m.ports) == 0 {
		return nil, errors.New("reset of unknown connections: needs ports")
	}
	f := &forwardedTable{match: m, config: config, log: o.Logger, count: o.Count, ask: o.QUIC}
	if len(o.Listeners) > 0 { // another process may run the intake, too
		f.suffix = "." + strconv.Itoa(os.Getpid())
	}
	return f, nil
}

// forwardedTableName is the name of an intake's table. The slash keeps it apart from
// those of other intakes.
func forwardedTableName(name string) string { return tablePrefix + name + "/forwarded" }

func (f *forwardedTable) name() *nftables.Table {
	return &nftables.Table{Family: nftables.TableFamilyINet, Name: forwardedTableName(f.match.name) + f.suffix}
}

// idle reports whether there is nothing to do.
func (f *forwardedTable) idle() bool {
	return f.config.Down != DownBlock && f.config.Strays != ResetStrays && f.config.QUIC != BlockQUIC && f.ask == nil
}

// add puts the rules into effect, in the place of those that a process before left.
// Between the two there is a moment without: call it when the listeners take what
// there is to block. After an error there are none.
func (f *forwardedTable) add() error {
	nftMu.Lock()
	defer nftMu.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.suffix == "" {
		defer f.sweepOthers()
	}
	if f.idle() {
		return removeTable(f.name().Name)
	}
	if err := f.write(); err != nil {
		return err
	}
	if f.ask == nil {
		return nil
	}
	q, err := f.openQUICTable()
	if err != nil { // such as a kernel without a log for programs
		f.log.Warn("QUIC is not looked at", "err", err)
		return nil
	}
	f.quicTable = q
	q.nflog.serve(f.inspectDatagram, func(err error) { f.log.Warn("QUIC is not looked at", "err", err) })
	return nil
}

// write writes the table.
func (f *forwardedTable) write() error {
	c, table, err := f.open()
	if err != nil {
		return err
	}
	exempt, err := f.rules(c, table)
	if err == nil {
		err = c.Flush()
	}
	if err != nil {
		c.DelTable(table)
		return errors.Join(fmt.Errorf("write nftables table %s: %w", table.Name, err), c.Flush(), f.release())
	}
	f.exempt = exempt
	return nil
}

// open makes an empty table, in the place of the one that there may be.
func (f *forwardedTable) open() (*nftables.Conn, *nftables.Table, error) {
	table := f.name()
	if err := removeTable(table.Name); err != nil {
		return nil, nil, err
	}
	if f.config.Down == DownBlock && f.noPersist {
		c, err := f.connect()
		if err != nil {
			return nil, nil, err
		}
		return c, c.AddTable(table), nil
	}
	var flags uint32
	if f.config.Down == DownBlock {
		flags = tablePersist
	}
	owned, err := newOwnedTable(table.Name, flags)
	if f.config.Down == DownBlock && (errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EINVAL)) {
		f.noPersist = true
		return f.open()
	}
	if err != nil {
		return nil, nil, err
	}
	f.table = owned
	return owned.conn, owned.Table, nil
}

// connect returns a connection for changes to a table that belongs to nobody.
func (f *forwardedTable) connect() (*nftables.Conn, error) {
	c, err := nftables.New(nftables.WithSockOptions(setWriteBuffer))
	if err != nil {
		return nil, fmt.Errorf("open nftables: %w", err)
	}
	return c, nil
}

// release gives the table back, which removes it unless it blocks.
func (f *forwardedTable) release() error {
	if f.table == nil {
		return nil
	}
	err := f.table.Close()
	f.table = nil
	return err
}

// remove ends what goes with the process. Call it before the listeners are closed:
// connections that are not taken any more would be reset.
func (f *forwardedTable) remove() error {
	f.mu.Lock()
	q := f.quicTable
	f.quicTable = nil
	f.mu.Unlock()
	var err error
	if q != nil {
		err = q.close() // f.look may wait for f.mu
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	blocks := f.config.Down == DownBlock && f.exempt != nil
	f.exempt = nil
	err = errors.Join(err, f.release())
	switch {
	case blocks && f.succeeded:
		err = errors.Join(err, removeTable(f.name().Name))
	case blocks:
		f.log.Info("new connections are blocked until the next start, or clearspan intake remove")
	}
	return err
}

// Succeeded implements [Routed].
func (f *forwardedTable) Succeeded() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.succeeded = true
}

// SetExempt implements [Routed].
func (f *forwardedTable) SetExempt(e Exempt) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.exempt == nil {
		return nil // removed, or nothing to do
	}
	var c *nftables.Conn
	var err error
	if f.table != nil {
		c = f.table.conn
	} else {
		c, err = f.connect()
	}
	if err == nil {
		err = f.exempt.replace(c, e)
	}
	if q := f.quicTable; q != nil {
		err = errors.Join(err, q.exempt.replace(q.table.conn, e))
	}
	return err
}

// inspectDatagram asks about a datagram of QUIC. If it was held, it is answered; if QUIC
// passes, its flow may be refused.
func (f *forwardedTable) inspectDatagram(packet []byte, held bool) {
	defer func() {
		if v := recover(); v != nil {
			f.count(Panicked)
			f.log.Error("session panicked", "err", fmt.Sprint(v), "stack", string(debug.Stack()))
		}
	}()
	client, origin, payload, ok := parseDatagram(packet)
	if !ok {
		return
	}
	verdict := f.ask(client, origin, payload)

	f.mu.Lock()
	defer f.mu.Unlock()
	q := f.quicTable
	switch {
	case q == nil: // removed
	case held && q.icmp != nil:
		q.icmp.hold(flow{client, origin}, packet, verdict != QUICUndecided)
	case q.icmp != nil && verdict != QUICUndecided:
		q.icmp.answer(flow{client, origin})
	case verdict == QUICRefuse:
		if err := q.refuse(client, origin); err != nil {
			if missed, ok := f.eventLimit.allow(time.Now()); ok {
				f.log.Warn("QUIC flow not refused", "client", client, "origin", origin, "err", err, "missed", missed)
			}
		}
	}
}

// Remove takes away what an intake for routed traffic left in this network namespace:
// rules that block, and those of a process that was killed. It returns an error that
// wraps unix.ENOENT if there is nothing, and one that says so if a process runs the
// intake.
func Remove(name string) error {
	if !validTable(name) {
		return errors.New("not 1 to 64 letters, digits, hyphens, underscores and dots")
	}
	held, err := lockName(tableLock(name))
	if errors.Is(err, errLocked) {
		return errors.New("a process runs it")
	}
	if err != nil {
		return err
	}
	defer held.Close()
	nftMu.Lock()
	defer nftMu.Unlock()
	c, err := nftables.New()
	if err != nil {
		return fmt.Errorf("open nftables: %w", err)
	}
	tables, err := dump(func() ([]*nftables.Table, error) { return c.ListTablesOfFamily(nftables.TableFamilyINet) })
	if err != nil {
		return fmt.Errorf("list nftables tables: %w", err)
	}
	found := false
	for _, t := range tables {
		if t.Name == tablePrefix+name || ofForwarded(name, t.Name) {
			found = true
			err = errors.Join(err, removeTable(t.Name))
		}
	}
	if !found {
		return unix.ENOENT
	}
	return errors.Join(err, sweepRoutes(0))
}
