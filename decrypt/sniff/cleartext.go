package sniff

import "bytes"

// clearLimit is how many octets of each direction [Cleartext] looks at.
const clearLimit = 512

// Cleartext tells the protocol of cleartext from its first octets, of the client and of
// the origin, for readers that want a name and act on nothing. It knows the protocols
// of this package, except [TLS], and others that are common within TLS. The name is the
// word for a [Protocol], or another in lower case; "" is unknown. more reports that
// further octets could tell; it is false from 512 octets of a direction on. Cleartext
// borrows both and does not allocate.
func Cleartext(client, origin []byte) (name string, more bool) {
	client, origin = client[:min(len(client), clearLimit)], origin[:min(len(origin), clearLimit)]
	greeting, open := Unknown, false
	if len(origin) > 0 {
		if greeting, open = Origin(origin); greeting.String() != "" {
			return greeting.String(), false
		}
		for _, w := range origins {
			switch w.test(origin) {
			case yes:
				return w.name, false
			case maybe:
				open = true
			}
		}
		if len(client) == 0 {
			return "", (open || greeting == Greeting220) && len(origin) < clearLimit
		}
		if p := Command(greeting, client); p.String() != "" {
			return p.String(), false
		}
		if greeting == Greeting220 {
			return "", bytes.IndexByte(client, '\n') < 0 && len(client) < clearLimit
		}
	}
	name, more = clientCleartext(client)
	return name, name == "" && (more || open) && len(client) < clearLimit
}

// clientCleartext is [Cleartext] for the client's octets.
func clientCleartext(client []byte) (name string, more bool) {
	for _, w := range clients {
		switch w.test(client) {
		case yes:
			return w.name, false
		case maybe:
			more = true
		}
	}
	p, open := Client(client)
	if p == TLS {
		return "", false
	}
	return p.String(), p == Unknown && (more || open)
}

// word is a protocol that has no [Protocol], and how octets compare with it.
type word struct {
	name string
	test func([]byte) match
}

// clients are told by what their client says first. HTTP takes any word for a method: a
// request line of RTSP or SIP ends in another version.
var clients = []word{
	{"mqtt", isMQTT},
	{"amqp", func(b []byte) match { return prefix(b, "AMQP") }},
	{"sip", func(b []byte) match { return startLine(b, " SIP/2.0") }},
	{"rtsp", func(b []byte) match { return startLine(b, " RTSP/1.0") }},
	{"irc", isIRC},
	{"syslog", isSyslog},
	{"redis", isRedis},
	{"cassandra", isCassandra},
	{"diameter", isDiameter},
	{"dns", isDNS},
	{"nntp", func(b []byte) match { return command(b, []string{"MODE READER", "XOVER", "NEWGROUPS"}) }},
}

// origins are told by a greeting.
var origins = []word{
	{"nntp", isNNTP},
	{"vnc", func(b []byte) match { return prefix(b, "RFB 00") }},
	{"rsync", func(b []byte) match { return prefix(b, "@RSYNCD:") }},
	{"irc", isIRCNotice},
}

// startLine wants a first line that ends in a version.
func startLine(b []byte, version string) match {
	if len(b) > 0 && (b[0] < 'A' || b[0] > 'Z') {
		return no
	}
	line, _, whole := bytes.Cut(b, []byte("\n"))
	switch {
	case !whole:
		return maybe
	case bytes.HasSuffix(bytes.TrimSuffix(line, []byte("\r")), []byte(version)):
		return yes
	}
	return no
}

// isIRC wants a first command of a client (RFC 2812, Section 3.1; IRCv3 CAP).
func isIRC(b []byte) match {
	return command(b, []string{"NICK", "CAP LS", "CAP REQ", "PASS"})
}

// isIRCNotice wants what servers say while they look up a client.
func isIRCNotice(b []byte) match {
	line, _, _ := bytes.Cut(b, []byte("\n"))
	if len(line) == 0 || line[0] != ':' && line[0] != 'N' {
		return no
	}
	if line[0] == 'N' {
		return command(b, []string{"NOTICE AUTH", "NOTICE *"})
	}
	_, rest, ok := bytes.Cut(line, []byte(" "))
	if !ok {
		return maybe
	}
	return command(rest, []string{"NOTICE"})
}

// isNNTP wants an initial greeting (RFC 3977, Section 5.1).
func isNNTP(b []byte) match { return command(b, []string{"200", "201"}) }

// isDiameter wants a capabilities exchange request (RFC 6733, Section 5.3.1).
func isDiameter(b []byte) match {
	switch {
	case len(b) > 0 && b[0] != 1:
		return no
	case len(b) < 8:
		return maybe
	case b[4] == 0x80 && b[5] == 0 && b[6] == 1 && b[7] == 1 && b[1] == 0:
		return yes
	}
	return no
}
