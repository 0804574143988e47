package sniff

import "bytes"

// originLimit is how many octets of a greeting are looked at: the length of one
// reply line (RFC 5321, Section 4.5.3.1.5).
const originLimit = 512

// Origin borrows b, the first octets of an origin that speaks before the client,
// and tells their protocol. more reports that further octets could decide; it is
// false from 512 octets on, and the protocol is [Unknown] while it is true.
// Origin does not allocate.
func Origin(b []byte) (p Protocol, more bool) {
	limited := b[:min(len(b), originLimit)]
	reply := prefix(limited, "220")
	if reply == yes {
		if p, more = greeting(limited); more && len(b) >= originLimit {
			return Greeting220, false
		}
		return p, more
	}
	p, more = first(limited, originProtocols)
	return p, p == Unknown && (more || reply == maybe) && len(b) < originLimit
}

var originProtocols = []candidate{
	{SSH, isSSH},
	{POP3, func(b []byte) match { return command(b, []string{"+OK"}) }},
	{IMAP, func(b []byte) match { return command(b, imapGreetings) }},
	{SMTP, func(b []byte) match { return command(b, []string{"554", "421"}) }}, // no service, for good or now (RFC 5321, Sections 3.1 and 3.8)
	{FTP, func(b []byte) match { return command(b, []string{"120"}) }},         // service later (RFC 959, Section 5.4)
	{MySQL, isMySQL},
	{NNTP, func(b []byte) match { return command(b, []string{"200", "201"}) }}, // RFC 3977, Section 5.1
	{VNC, isVNC},
	{Rsync, func(b []byte) match { return prefix(b, "@RSYNCD: ") }},
	{ManageSieve, isManageSieve},
	{IRC, isIRCNotice},
}

var imapGreetings = []string{"* OK", "* PREAUTH", "* BYE"}

// greeting looks through the complete lines of a 220 greeting for a word that
// names the protocol.
func greeting(b []byte) (p Protocol, more bool) {
	for len(b) > 0 {
		line, rest, complete := bytes.Cut(b, []byte("\n"))
		if !complete {
			return Unknown, true
		}
		text := line
		last := false
		if prefix(line, "220") == yes {
			text = line[3:]
			last = len(text) == 0 || text[0] != '-'
			text = bytes.TrimPrefix(text, []byte("-"))
		}
		if p := named(text); p != Unknown {
			return p, false
		}
		if last {
			return Greeting220, false
		}
		b = rest
	}
	return Unknown, true
}

// named returns SMTP or FTP if a word of the text says so. Words with a dot are
// host names. The first word is one, too, in SMTP (RFC 5321, Section 4.2).
func named(text []byte) Protocol {
	found := Unknown
	for i := 0; ; i++ {
		text = bytes.TrimLeft(text, " \t\r")
		if len(text) == 0 {
			return found
		}
		word := text
		if end := bytes.IndexAny(text, " \t\r"); end >= 0 {
			word = text[:end]
		}
		text = text[len(word):]
		switch {
		case bytes.IndexByte(word, '.') >= 0:
		case i > 0 && containsFold(word, "SMTP"):
			return SMTP
		case containsFold(word, "FTP"), containsFold(word, "FILEZILLA"):
			found = FTP
		}
	}
}

// containsFold reports whether word, in upper case, is somewhere in b.
func containsFold(b []byte, word string) bool {
	for ; len(b) >= len(word); b = b[1:] {
		if prefixFold(b, word) == yes {
			return true
		}
	}
	return false
}

// Command resolves [Greeting220] by the client's first command, of which it
// borrows the line or its beginning: SMTP, FTP, or still Greeting220 where both
// know the command. Every other protocol comes back as it is.
func Command(p Protocol, line []byte) Protocol {
	if p != Greeting220 {
		return p
	}
	if command(line, smtpOnly) == yes {
		return SMTP
	}
	if command(line, ftpOnly) == yes {
		return FTP
	}
	return p
}

var (
	smtpOnly = []string{"EHLO", "HELO", "MAIL", "RCPT", "DATA", "BDAT", "RSET", "VRFY", "EXPN", "STARTTLS", "ETRN"}
	ftpOnly  = []string{
		"USER", "PASS", "ACCT", "AUTH TLS", "AUTH SSL", "AUTH TLS-C", "AUTH TLS-P", "ADAT", "PBSZ", "PROT",
		"FEAT", "OPTS", "SYST", "HOST", "CLNT", "PWD", "XPWD", "CWD", "TYPE", "PASV", "EPSV", "PORT", "EPRT",
		"LIST", "NLST", "MLSD", "RETR", "STOR", "LANG", "CSID", "STAT", "REIN",
	}
)
