package sniff

import (
	"bytes"

	"github.com/clearspan/clearspan/decrypt/proto/http1"
	"github.com/clearspan/clearspan/decrypt/proto/http2"
)

// clientLimit is how many of the client's octets are looked at: as many as a
// request line of HTTP may have, in any of its forms.
const clientLimit = http1.MaxStart

// wordLimit is how many of them are looked at for other protocols: an XML
// declaration with all that may be in it, and the beginning of a stream header
// behind it.
const wordLimit = 128

// Client borrows b, the first octets that the client sent, and tells their
// protocol. more reports that the octets agree with some protocol as far as they
// go: ask again with more of them. It is false from 16 KiB on; the protocol is
// [Unknown] while it is true. Client does not allocate.
//
// A first line that may become a request line of HTTP decides nothing else: servers
// of HTTP take any word for a method.
func Client(b []byte) (p Protocol, more bool) {
	if is, more := http1.Recognize(b); is {
		return HTTP, false
	} else if more {
		return Unknown, true
	}
	p, more = first(b[:min(len(b), wordLimit)], clientProtocols)
	return p, more && len(b) < wordLimit
}

var clientProtocols = []candidate{
	{TLS, isTLS},
	{HTTP2, func(b []byte) match { return prefix(b, http2.Preface) }},
	{SSH, isSSH},
	{SMTP, func(b []byte) match { return command(b, smtpCommands) }},
	{POP3, func(b []byte) match { return command(b, pop3Commands) }},
	{FTP, func(b []byte) match { return command(b, ftpCommands) }},
	{IMAP, isIMAP},
	{PostgreSQL, isPostgreSQL},
	{LDAP, isLDAP},
	{XMPP, isXMPP},
	{RDP, isRDP},
	{SOCKS, isSOCKS},
	{MQTT, isMQTT},
	{AMQP, isAMQP},
	{Redis, isRedis},
	{TDS, isTDS},
	{SMB, isSMB},
	{IRC, func(b []byte) match { return command(b, ircCommands) }},
	{Syslog, isSyslog},
	{STOMP, isSTOMP},
	{SIP, func(b []byte) match { return target(b, "sip:", "sips:", "tel:") }},
	{RTSP, func(b []byte) match { return target(b, "rtsp://", "rtsps://", "* RTSP/") }},
	{Git, isGit},
}

// Begins is [Client] with protocols besides whose first octet may be almost any: their
// octets tell them only where nothing else can stand, and who waits for more of them
// delays whoever says little. It is for sessions that must not be unknown.
func Begins(b []byte) (p Protocol, more bool) {
	if p, more = Client(b); p != Unknown {
		return p, more
	}
	p, further := first(b[:min(len(b), wordLimit)], vagueProtocols)
	if more {
		return Unknown, true // a word decides first
	}
	return p, further && len(b) < wordLimit
}

var vagueProtocols = []candidate{
	{MongoDB, isMongoDB},
	{Kafka, isKafka},
	{Cassandra, isCassandra},
	{TNS, isTNS},
	{DNS, isDNS},
}

// isTLS wants a handshake record of version 3.x. What the record holds is for
// package clienthello to say.
func isTLS(b []byte) match { return prefix(b, "\x16\x03") }

func isSSH(b []byte) match { return prefix(b, "SSH-") } // RFC 4253, Section 4.2

// Commands that tell a protocol when they come first. USER is not among them:
// POP3 and FTP share it.
var (
	smtpCommands = []string{"EHLO", "HELO"}
	pop3Commands = []string{"CAPA", "APOP", "STLS"}
	ftpCommands  = []string{"AUTH TLS", "AUTH SSL", "FEAT", "SYST"}
)

// command compares b with commands, each followed by a blank or a line end.
func command(b []byte, commands []string) match {
	best := no
	for _, c := range commands {
		m := prefixFold(b, c)
		if m == yes {
			switch {
			case len(b) == len(c):
				m = maybe
			case !isBlank(b[len(c)]):
				m = no
			}
		}
		best = max(best, m)
	}
	return best
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

const maxTag = 32

// isIMAP wants a tag and a command that is valid before authentication
// (RFC 9051, Sections 6.1 and 6.2).
func isIMAP(b []byte) match {
	space := bytes.IndexByte(b, ' ')
	tag := b
	if space >= 0 {
		tag = b[:space]
	}
	if len(tag) > maxTag || space == 0 {
		return no
	}
	for _, c := range tag {
		if u := upper(c); (u < 'A' || u > 'Z') && (c < '0' || c > '9') && c != '.' && c != '-' && c != '_' {
			return no
		}
	}
	if space < 0 {
		return maybe
	}
	return command(b[space+1:], imapCommands)
}

var imapCommands = []string{"CAPABILITY", "STARTTLS", "LOGIN", "AUTHENTICATE", "NOOP", "LOGOUT", "ID", "ENABLE"}

// isXMPP wants a stream header, perhaps after an XML declaration (RFC 6120,
// Section 4.2).
func isXMPP(b []byte) match {
	const header = "<stream:stream"
	m := prefix(b, "<?xml")
	if m == yes {
		if bytes.Contains(b, []byte(header)) {
			return yes
		}
		return maybe
	}
	return max(m, prefix(b, header))
}
