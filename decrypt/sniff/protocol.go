// Package sniff recognises a protocol by the first octets of a connection, on any
// port. Give [Client] the octets that the client sent first. If the client is
// silent, give [Origin] the origin's greeting. Both read a bounded number of octets,
// keep nothing, and report whether more octets could still decide.
//
// The package only recognises. If a hello is broken after its first octets, it is
// still TLS here.
package sniff

// Protocol is what the first octets belong to.
type Protocol uint8

const (
	Unknown Protocol = iota
	// Greeting220 is a greeting of 220 that does not say whether it is SMTP or
	// FTP. The client's first command does, see [Command].
	Greeting220
	TLS
	HTTP  // HTTP/1.x
	HTTP2 // the cleartext preface of HTTP/2
	SMTP
	IMAP
	POP3
	FTP
	SSH
	MySQL
	PostgreSQL
	LDAP
	XMPP
	RDP
	SOCKS
	MQTT
	AMQP
	Redis
	MongoDB
	Kafka
	Cassandra
	TDS // Microsoft SQL Server
	TNS // Oracle
	DNS // over TCP
	SMB
	VNC
	IRC
	NNTP
	ManageSieve
	Syslog
	STOMP
	SIP
	RTSP
	Git
	Rsync
)

var names = [...]string{
	"", "", "tls", "http", "http2", "smtp", "imap", "pop3", "ftp", "ssh",
	"mysql", "postgresql", "ldap", "xmpp", "rdp", "socks",
	"mqtt", "amqp", "redis", "mongodb", "kafka", "cassandra", "tds", "tns", "dns", "smb",
	"vnc", "irc", "nntp", "managesieve", "syslog", "stomp", "sip", "rtsp", "git", "rsync",
}

// Named returns the protocol with a word, [Unknown] if there is none.
func Named(word string) Protocol {
	for p, name := range names {
		if name == word && word != "" {
			return Protocol(p)
		}
	}
	return Unknown
}

// String returns the word used in rules and audit entries, or "" for [Unknown]
// and [Greeting220], which leave the protocol open.
func (p Protocol) String() string {
	if int(p) < len(names) {
		return names[p]
	}
	return ""
}

// match is how octets compare with what a protocol begins with.
type match uint8

const (
	no    match = iota
	maybe       // as far as they go, they agree
	yes
)

// prefix compares the beginning of b with word, octet by octet.
func prefix(b []byte, word string) match {
	n := min(len(b), len(word))
	switch {
	case string(b[:n]) != word[:n]:
		return no
	case n < len(word):
		return maybe
	}
	return yes
}

// prefixFold is [prefix] without regard to the case of ASCII letters. word is in
// upper case.
func prefixFold(b []byte, word string) match {
	n := min(len(b), len(word))
	for i := range n {
		if upper(b[i]) != word[i] {
			return no
		}
	}
	if n < len(word) {
		return maybe
	}
	return yes
}

func upper(c byte) byte {
	if c >= 'a' && c <= 'z' {
		return c - ('a' - 'A')
	}
	return c
}

// candidate is one protocol and how the octets compare with it.
type candidate struct {
	protocol Protocol
	test     func([]byte) match
}

// first returns the first protocol that matches; more if none does yet.
func first(b []byte, candidates []candidate) (p Protocol, more bool) {
	for _, c := range candidates {
		switch c.test(b) {
		case yes:
			return c.protocol, false
		case maybe:
			more = true
		}
	}
	return Unknown, more
}
