package config

import (
	"net"
	"net/url"
	"slices"
	"strconv"
)

// unsafePorts are those that browsers refuse to open (Fetch standard, Section 2.9, "bad
// port"), ascending. Port 0 is none of ours: the kernel chooses another one.
var unsafePorts = []uint16{
	1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109, 110, 111, 113,
	115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556,
	563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667,
	6668, 6669, 6679, 6697, 10080,
}

// SafePort reports whether browsers open pages on a port.
func SafePort(port uint16) bool {
	_, unsafe := slices.BinarySearch(unsafePorts, port)
	return !unsafe
}

// page notes the listener of pages that key of the table t names, as listens does, and
// refuses a port that browsers do not open.
func (r *reader) page(t *table, key, owner, address string) {
	faults := len(r.errs)
	if r.listens(t, key, owner, address); len(r.errs) > faults {
		return
	}
	if _, port, err := net.SplitHostPort(address); err == nil {
		r.opens(t, key, port)
	}
}

// opens refuses a port of pages that browsers do not open.
func (r *reader) opens(t *table, key, port string) {
	if n, err := strconv.ParseUint(port, 10, 16); err == nil && !SafePort(uint16(n)) {
		r.fail(t.place(key), "%s: browsers refuse port %d (ERR_UNSAFE_PORT): take another one, such as 8091", key, n)
	}
}

// pageURL refuses a URL of pages whose port browsers do not open.
func (r *reader) pageURL(t *table, key, text string) {
	if u, err := url.Parse(text); err == nil {
		r.opens(t, key, u.Port())
	}
}
