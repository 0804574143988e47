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

// setup serializes changes to the kernel's tables: package nftables numbers sets
// with a global counter.
var setup sync.Mutex

// diversion is what the kernel is told for one intake: a table of filter rules,
// see rules_linux.go, and the routing of marked packets to the local stack, see
// routes_linux.go.
type diversion struct {
	selection
	mark     uint32
	table    int
	priority int
}

func newDiversion(name string, config TProxy) (*diversion, error) {
	s, err := newSelection(name, config.From, config.Ports)
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
	s.port = port
	return &diversion{selection: s}, nil
}

// claim chooses the numbers if config leaves them open, reserves name and numbers
// for this process, and removes what dead processes left behind. The claims are
// held until they are closed.
func (d *diversion) claim(config TProxy) (_ claims, err error) {
	var held claims
	defer func() {
		if err != nil {
			held.Close()
		}
	}()
	if err := held.add(tableClaim(d.name)); err != nil {
		return nil, fmt.Errorf("name %q: %w", d.name, err)
	}
	d.mark, d.table, d.priority = config.Mark, config.Table, config.Priority
	if d.mark == 0 {
		slot, err := held.addSlot()
		if err != nil {
			return nil, err
		}
		d.mark, d.table, d.priority = slotMark(slot), slotTable(slot), basePriority+slot
	} else if err := held.add(markClaim(d.mark)); err != nil {
		return nil, fmt.Errorf("mark %#x: %w", d.mark, err)
	}
	if err := held.add(markClaim(d.mark + 1)); err != nil {
		return nil, fmt.Errorf("mark %#x: %w", d.mark+1, err)
	}
	if err := held.add(routesClaim(d.table)); err != nil {
		return nil, fmt.Errorf("routing table %d: %w", d.table, err)
	}

	setup.Lock()
	defer setup.Unlock()
	if err := errors.Join(sweepTables(d.name), sweepRoutes(d.mark), removeRoutes(d.mark, d.table)); err != nil {
		return nil, err
	}
	return held, nil
}

func slotMark(slot int) uint32 { return baseMark + 2*uint32(slot) }
func slotTable(slot int) int   { return baseTable + slot }

// add puts the diversion into effect, routes first: a packet must not be marked
// before there is a route for it. After an error, remove cleans up.
func (d *diversion) add() error {
	setup.Lock()
	defer setup.Unlock()
	for _, f := range families() {
		if d.listening(f).IsValid() {
			if err := addRoute(f, d.mark, d.table, d.priority); err != nil {
				return err
			}
		}
	}
	return d.addTable()
}

// remove takes the diversion back, in reverse. It is not an error if there is
// nothing to remove.
func (d *diversion) remove() error {
	setup.Lock()
	defer setup.Unlock()
	return errors.Join(removeTable(tablePrefix+d.name), removeRoutes(d.mark, d.table))
}
