package intake

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// Diversion is what a tproxy intake has in the kernel and shares with the process that
// takes its place: the listeners, and the rules that lead connections there. Who holds it
// hands the listeners to each process as [Options.Listeners]. Its methods are not safe for
// concurrent use.
type Diversion struct {
	rules  *tproxyNFT
	claims nameLocks
	files  []*os.File
}

// OpenDiversion starts to divert, see [NewTProxy]. Connections wait until an intake
// accepts them.
func OpenDiversion(name string, config TProxy) (_ *Diversion, err error) {
	n, err := newTProxyNFT(name, config)
	if err != nil {
		return nil, fmt.Errorf("divert traffic of intake %s: %w", name, err)
	}
	d := &Diversion{rules: n}
	if d.claims, err = n.lock(config); err != nil {
		return nil, fmt.Errorf("divert traffic of intake %s: %w", name, err)
	}
	if err = d.open(); err != nil {
		return nil, errors.Join(fmt.Errorf("divert traffic of intake %s: %w", name, err), d.Close())
	}
	return d, nil
}

func (d *Diversion) open() error {
	n := d.rules
	if err := checkSysctls(n.from); err != nil {
		return err
	}
	listeners, err := n.listenDiverted(slog.New(slog.DiscardHandler)) // who accepts warns
	if err != nil {
		return err
	}
	defer closeAll(listeners)
	if d.files, err = filesOf(listeners); err != nil {
		return err
	}
	return n.add()
}

// AdoptDiversion takes over what another program of this process has opened, by its
// files, which it owns.
func AdoptDiversion(name string, config TProxy, files []*os.File) (*Diversion, error) {
	n, err := newTProxyNFT(name, config)
	if err == nil && len(files) == 0 {
		err = errors.New("no listener")
	}
	if err != nil {
		return nil, fmt.Errorf("take over traffic of intake %s: %w", name, err)
	}
	l, err := net.FileListener(files[0])
	if err != nil {
		return nil, fmt.Errorf("take over traffic of intake %s: %w", name, err)
	}
	defer l.Close()
	d := &Diversion{rules: n, files: files}
	if err = n.numbersOf(l, config); err == nil {
		d.claims, err = n.reserve()
	}
	if err != nil {
		return nil, fmt.Errorf("take over traffic of intake %s: %w", name, err)
	}
	return d, nil
}

// Files returns the listeners, IPv4 first. They are borrowed.
func (d *Diversion) Files() []*os.File { return d.files }

// Stop closes the listeners. When nobody else has them, new connections are routed.
func (d *Diversion) Stop() error { return closeFiles(d.files) }

// Close takes the rules away. No session may be left.
func (d *Diversion) Close() error { return errors.Join(d.Stop(), d.rules.remove(), d.claims.Close()) }

// listenDiverted listens for diverted connections.
func (n *tproxyNFT) listenDiverted(log *slog.Logger) ([]acceptor, error) {
	loopback := func(f family) netip.Addr { return f.loopback }
	return n.listen(loopback, net.ListenConfig{Control: transparent(n.mark + 1)}, log)
}

// numbersOf reads the numbers of a diversion off one of its listeners.
func (n *tproxyNFT) numbersOf(l net.Listener, config TProxy) error {
	tcp, ok := l.(*net.TCPListener)
	if !ok {
		return fmt.Errorf("listener is a %T", l)
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return err
	}
	var mark int
	var failed error
	err = raw.Control(func(fd uintptr) { mark, failed = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_MARK) })
	if err = errors.Join(err, optionErr("SO_MARK", failed)); err != nil {
		return err
	}
	n.mark, n.table, n.priority = uint32(mark)-1, config.Table, config.Priority
	if config.Mark != 0 {
		return nil
	}
	slot := (int(n.mark) - baseMark) / 2
	if slot < 0 || slot >= slots || n.mark != slotMark(slot) {
		return fmt.Errorf("listener has mark %#x, which is of no intake", mark)
	}
	n.table, n.priority = slotTable(slot), basePriority+slot
	return nil
}

// reserve reserves name and numbers for this process.
func (n *tproxyNFT) reserve() (held nameLocks, err error) {
	for _, name := range []string{tableLock(n.name), markLock(n.mark), markLock(n.mark + 1), routesLock(n.table)} {
		if err := held.lock(name); err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", name, err), held.Close())
		}
	}
	return held, nil
}
