package http1

import "bytes"

// Doubt is why it is not certain which host a request asks for.
type Doubt uint8

const (
	// Certain: the host is known, and no reader takes another one.
	Certain Doubt = iota
	// NoHost: the request names no host. No reader takes one, so that this is no
	// doubt, see [Doubt.Doubtful].
	NoHost
	// HostsDiffer: two Host fields name different hosts, one of them perhaps none.
	HostsDiffer
	// HostSpaced: white space stands around the name of a Host field.
	HostSpaced
	// HostFolded: a line continues a Host field, or a Host field is in a folded line.
	HostFolded
	// HostCR: a CR without LF stands in a field line. Some readers end the line there.
	HostCR
	// HostOctet: the host holds an octet that no host has, or is empty beside a port.
	HostOctet
	// HostPort: the port is not a number of at most five digits.
	HostPort
	// HostBracket: the brackets of an IPv6 address are malformed.
	HostBracket
	// HostLength: the host has more than 255 octets.
	HostLength
	// HostTarget: the request target has none of the four forms, or the request line is
	// no line of HTTP/1 though it names a version.
	HostTarget
	// HostCut: the head is not complete.
	HostCut
)

var doubts = [...]string{
	"certain", "no-host", "hosts-differ", "host-spaced", "host-folded", "host-cr", "host-octet", "host-port", "host-bracket",
	"host-length", "host-target", "host-cut",
}

// String returns a fixed word, such as "hosts-differ".
func (d Doubt) String() string {
	if int(d) < len(doubts) {
		return doubts[d]
	}
	return "unknown"
}

// Doubtful reports whether readers may take the request for different hosts.
func (d Doubt) Doubtful() bool { return d > NoHost }

// Host is the host that a request asks for: the authority of a CONNECT target or of
// an absolute form, else the Host field (RFC 9112, Section 3.2). Its slices are
// parts of the head. They are nil unless the host is [Certain].
type Host struct {
	Name  []byte // in the client's spelling, without the brackets of an IPv6 address
	Port  []byte // without the colon; may be empty
	Doubt Doubt
}

// maxHost is the longest host in octets, as a name of the DNS is.
const maxHost = 255

// FindHost reads the host of a request whose head is b, or begins with b. more
// reports that the head is not complete; then the host is in doubt by [HostCut],
// unless the Host field is there already. It reports too that b holds nothing but
// empty lines. FindHost skips them. If b is no request of HTTP/1, it names no host.
//
// A caller that cannot wait for the whole head must know that the result may change
// with it: another Host field puts the host in doubt.
func FindHost(b []byte) (h Host, more bool) {
	b = b[whiteLen(b):]
	line, n, _ := cutLine(b)
	if n == 0 {
		return Host{Doubt: HostCut}, true
	}
	r, fault := ParseRequestLine(line, Loose)
	if fault == Sound {
		_, fault = minor(r.Version, Loose)
	}
	switch {
	case fault != Sound && hasVersion(line) && !bytes.HasPrefix(line, []byte(preface)): // a server may read a host behind it
		return Host{Doubt: HostTarget}, false
	case fault != Sound:
		return Host{Doubt: NoHost}, false
	}
	var fields hostFields
	section := b[n:]
	at := 0
	for f := range Fields(section) {
		fields.add(&f)
		at += len(f.Line)
	}
	_, n, _ = cutLine(section[at:])
	more = n == 0
	h = fields.host(&r)
	if more && h.Doubt == NoHost {
		h.Doubt = HostCut
	}
	return h, more
}

// whiteLen returns how many octets of white space and line ends b begins with.
func whiteLen(b []byte) int {
	for i, c := range b {
		if classes[c]&(space|lineEnd) == 0 {
			return i
		}
	}
	return len(b)
}

// hostFields collects the Host fields of a head.
type hostFields struct {
	value []byte // of the last one
	count int
	last  bool // the line before was one, or continued it
	doubt Doubt
}

// add takes the next field line.
func (h *hostFields) add(f *Field) {
	switch {
	case f.Fault == Folded:
		name, _, ok := bytes.Cut(f.Value, []byte{':'})
		if h.last || ok && Is(trimSpace(name), "host") {
			h.suspect(HostFolded)
		}
		return
	case f.Fault != Sound && bareCR(f.Line):
		h.suspect(HostCR)
	}
	if h.last = Is(trimSpace(f.Name), "host"); !h.last {
		return
	}
	if f.Fault == BadName {
		h.suspect(HostSpaced)
	}
	if h.count > 0 && !bytes.EqualFold(h.value, f.Value) {
		h.suspect(HostsDiffer)
	}
	h.value = f.Value
	h.count++
}

// bareCR reports whether a line holds a CR before its line end.
func bareCR(line []byte) bool {
	line = bytes.TrimSuffix(line[:len(line)-1], []byte{'\r'})
	return bytes.IndexByte(line, '\r') >= 0
}

// suspect keeps the first doubt.
func (h *hostFields) suspect(d Doubt) {
	if h.doubt == Certain {
		h.doubt = d
	}
}

// host decides.
func (h *hostFields) host(r *RequestLine) Host {
	switch {
	case h.doubt != Certain:
		return Host{Doubt: h.doubt}
	case r.Form == NoForm:
		return Host{Doubt: HostTarget}
	case r.Authority != nil && len(r.Authority) == 0:
		return Host{Doubt: HostTarget}
	case r.Authority != nil:
		return ParseHost(r.Authority)
	case h.count == 0:
		return Host{Doubt: NoHost}
	}
	return ParseHost(h.value)
}

// ParseHost takes an authority apart: a host, perhaps with a port (RFC 3986, Section
// 3.2). User information is not part of it. An empty one names no host.
func ParseHost(authority []byte) Host {
	if len(authority) == 0 {
		return Host{Doubt: NoHost}
	}
	if authority[0] == '[' {
		return bracketed(authority)
	}
	name, port, ported := bytes.Cut(authority, []byte{':'})
	for _, c := range name {
		if classes[c]&hostName == 0 {
			return Host{Doubt: HostOctet}
		}
	}
	switch {
	case ported && !isPort(port):
		return Host{Doubt: HostPort}
	case len(name) == 0:
		return Host{Doubt: HostOctet}
	case len(name) > maxHost:
		return Host{Doubt: HostLength}
	}
	return Host{Name: name, Port: port}
}

// bracketed is ParseHost for an IPv6 address.
func bracketed(authority []byte) Host {
	end := bytes.IndexByte(authority, ']')
	if end < 2 || end > maxHost {
		return Host{Doubt: HostBracket}
	}
	name, port := authority[1:end], authority[end+1:]
	if len(bytes.Trim(name, "0123456789abcdefABCDEF:.")) > 0 {
		return Host{Doubt: HostBracket}
	}
	if len(port) == 0 {
		return Host{Name: name}
	}
	if port[0] != ':' || !isPort(port[1:]) {
		return Host{Doubt: HostPort}
	}
	return Host{Name: name, Port: port[1:]}
}

// isPort reports whether b has at most five digits.
func isPort(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(b) <= 5
}
