package intake

import (
	"strings"

	"github.com/google/nftables"
)

// ofForwarded reports whether a table is one of those of an intake for forwarded packets,
// of whatever process.
func ofForwarded(name, table string) bool {
	for _, own := range []string{forwardedTableName(name), quicTableName(name)} {
		rest, ok := strings.CutPrefix(table, own)
		if ok && (rest == "" || rest[0] == '.' && strings.Trim(rest[1:], "0123456789") == "") {
			return true
		}
	}
	return false
}

// sweep removes the tables that processes before this one left. Call it when this one
// takes connections.
func (f *forwardedTable) sweep() {
	nftMu.Lock()
	defer nftMu.Unlock()
	f.sweepOthers()
}

// sweepOthers is sweep with nftMu held. A table that belongs to a process stays.
func (f *forwardedTable) sweepOthers() {
	c, err := nftables.New()
	if err != nil {
		f.log.Debug("tables of earlier processes not removed", "err", err)
		return
	}
	tables, err := dump(func() ([]*nftables.Table, error) { return c.ListTablesOfFamily(nftables.TableFamilyINet) })
	if err != nil {
		f.log.Debug("tables of earlier processes not removed", "err", err)
		return
	}
	for _, t := range tables {
		if t.Name == f.name().Name || t.Name == f.quicName() || !ofForwarded(f.match.name, t.Name) {
			continue
		}
		if err := removeTable(t.Name); err != nil { // it belongs to a process, which removes it
			f.log.Debug("table of another process not removed", "table", t.Name, "err", err)
		}
	}
}
