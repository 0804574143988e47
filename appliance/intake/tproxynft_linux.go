package intake

import (
	"errors"
	"fmt"
	"sync"
)

// Numbers for intakes that choose none: slot n uses mark base+2n, table base+n
// and priority base+n.
const (
	slots        = 64
	baseMark     = 0x63730000
	baseTable    = 7300
	basePriority = 100
)

// nftMu serializes changes to the kernel's tables: package nftables numbers sets
// with a global counter.
var nftMu sync.Mutex

// tproxyNFT is what the kernel is told for one intake: a table of filter rules,
// see tproxyrules_linux.go, and the routing of marked packets to the local stack, see
// routes_linux.go.
type tproxyNFT struct {
	nftMatch
	mark     uint32
	table    int
	priority int
}

func newTProxyNFT(name string, config TProxy) (*tproxyNFT, error) {
	m, err := newNFTMatch(name, config.From, config.Ports)
	if err != nil {
		return nil, err
	}
	if given := config.Mark != 0; given != (config.Table != 0) || given != (config.Priority != 0) {
		return nil, errors.New("mark, routing table and priority: give all or none")
	}
	if config.Table < 0 || config.Priority < 0 {
		return nil, errors.New("negative routing table or priority")
	}
	host, port, err := parseListen(config.Listen)
	if err != nil {
		return nil, err
	}
	if !host.IsUnspecified() && !host.IsLoopback() {
		return nil, fmt.Errorf("listen %q: diverted traffic is taken on loopback, give :port", config.Listen)
	}
	m.port = port
	return &tproxyNFT{nftMatch: m}, nil
}

// lock chooses the numbers if config leaves them open, reserves name and numbers
// for this process, and removes what dead processes left behind. The locks are
// held until they are closed.
func (n *tproxyNFT) lock(config TProxy) (_ nameLocks, err error) {
	var held nameLocks
	defer func() {
		if err != nil {
			held.Close()
		}
	}()
	if err := held.lock(tableLock(n.name)); err != nil {
		return nil, fmt.Errorf("name %q: %w", n.name, err)
	}
	n.mark, n.table, n.priority = config.Mark, config.Table, config.Priority
	if n.mark == 0 {
		slot, err := held.lockSlot()
		if err != nil {
			return nil, err
		}
		n.mark, n.table, n.priority = slotMark(slot), slotTable(slot), basePriority+slot
	} else if err := held.lock(markLock(n.mark)); err != nil {
		return nil, fmt.Errorf("mark %#x: %w", n.mark, err)
	}
	if err := held.lock(markLock(n.mark + 1)); err != nil {
		return nil, fmt.Errorf("mark %#x: %w", n.mark+1, err)
	}
	if err := held.lock(routesLock(n.table)); err != nil {
		return nil, fmt.Errorf("routing table %d: %w", n.table, err)
	}

	nftMu.Lock()
	defer nftMu.Unlock()
	if err := errors.Join(sweepTables(n.name), sweepRoutes(n.mark), removeRoutes(n.mark, n.table)); err != nil {
		return nil, err
	}
	return held, nil
}

func slotMark(slot int) uint32 { return baseMark + 2*uint32(slot) }
func slotTable(slot int) int   { return baseTable + slot }

// add puts the diversion into effect, routes first: a packet must not be marked
// before there is a route for it. After an error, remove cleans up.
func (n *tproxyNFT) add() error {
	nftMu.Lock()
	defer nftMu.Unlock()
	for _, f := range families() {
		if n.listenAddr(f).IsValid() {
			if err := addRoute(f, n.mark, n.table, n.priority); err != nil {
				return err
			}
		}
	}
	return n.addTable()
}

// remove takes the diversion back, in reverse. It is not an error if there is
// nothing to remove.
func (n *tproxyNFT) remove() error {
	nftMu.Lock()
	defer nftMu.Unlock()
	return errors.Join(removeTable(tablePrefix+n.name), removeRoutes(n.mark, n.table))
}
