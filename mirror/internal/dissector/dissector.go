// Package dissector knows which dissector tshark gives a TCP port to. Recorders that
// choose by port do as tshark does. The table is that of tshark 4.0 with its defaults:
// tshark -G decodes, table tcp.port.
package dissector

import (
	_ "embed"
	"strconv"
	"strings"
	"sync"
)

// TLS is the dissector of TLS.
const TLS = "tls"

//go:embed tcp.txt
var tcp string

// ports are the entries of the table, a line for each dissector: its name, then ports
// and ranges of ports.
var ports = sync.OnceValue(func() map[uint16]string {
	table := make(map[uint16]string, 640)
	for line := range strings.Lines(tcp) {
		fields := strings.Fields(line)
		for _, ports := range fields[1:] {
			first, last := portRange(ports)
			for port := first; port <= last; port++ {
				table[uint16(port)] = fields[0]
			}
		}
	}
	return table
})

// portRange reads "80" or "80-90". The table is part of the program: it has no others.
func portRange(s string) (first, last int) {
	low, high, ok := strings.Cut(s, "-")
	first, _ = strconv.Atoi(low)
	if last = first; ok {
		last, _ = strconv.Atoi(high)
	}
	return first, last
}

// Of returns the dissector that tshark gives a port of the origin to; "" if tshark
// shows unrecognised octets of this port as data. Safe for concurrent use.
func Of(port uint16) string { return ports()[port] }
