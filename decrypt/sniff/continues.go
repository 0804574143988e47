package sniff

import (
	"bytes"

	"github.com/clearspan/clearspan/decrypt/proto/http1"
	"github.com/clearspan/clearspan/decrypt/proto/http2"
)

// Continues borrows b, the beginning of a client's line, and reports whether that may be
// a command of a dialogue of p: [SMTP], [FTP], [POP3], [IMAP], or [Greeting220]. Servers
// know more commands than this package: any word may be one, but behind [Greeting220],
// where a command is to tell the protocol. A request of HTTP is none. more reports that
// further octets of the line could tell. Of other protocols nothing fits. Continues does
// not allocate.
func Continues(p Protocol, b []byte) (fits, more bool) {
	line, _, ended := bytes.Cut(b, []byte("\n"))
	if ended {
		b = b[:len(line)+1]
	}
	request, open := http1.Recognize(b)
	open = open && !ended
	if request && command(b, fileArguments) == yes && !versioned(line) {
		request = false
	}
	request = request || prefix(b, http2.Preface) == yes || prefix(b, http2.Preface) == maybe && ended
	m := no
	switch p {
	case SMTP, POP3:
		m = isWord(b)
	case FTP:
		for len(b) > 0 && b[0] >= telnetIP {
			b = b[1:]
		}
		m = isWord(b)
	case IMAP:
		m = isTagged(b)
	case Greeting220:
		m = isText(b)
	}
	return m == yes && !request && !open, m != no && !request && !ended && (m == maybe || open)
}

// maxVerb is how many octets a command has at most.
const maxVerb = 32

// isWord wants a word of letters, digits and hyphens, perhaps behind blanks, or an empty
// line.
func isWord(b []byte) match {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for i, c := range b {
		switch u := upper(c); {
		case isBlank(c) && (i > 0 || c == '\r' || c == '\n'):
			return yes
		case i == maxVerb, (u < 'A' || u > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.':
			return no
		}
	}
	return maybe
}

// telnetIP is the lowest of the octets of Telnet that clients of FTP may put before a
// command (RFC 959, Section 4.1.3): Data Mark, Interrupt Process, Interpret As Command.
const telnetIP = 242

// isTagged wants a tag, and a word behind it.
func isTagged(b []byte) match {
	for i, c := range b {
		switch {
		case c == ' ' && i > 0:
			return isWord(b[i+1:])
		case c == '\r' || c == '\n':
			return yes // no command, as servers say
		case i == maxTag || !tag(b[i:i+1]):
			return no
		}
	}
	return maybe
}

// fileArguments are commands of FTP behind which a name may have blanks and slashes, as a
// request has them.
var fileArguments = []string{
	"RETR", "STOR", "APPE", "LIST", "NLST", "MLSD", "MLST", "CWD", "SITE", "SIZE", "MDTM", "MKD", "XMKD", "RMD", "XRMD",
	"DELE", "RNFR", "RNTO", "STAT", "PASS", "USER", "MFMT",
}

// versioned reports whether a word of the line is a version of HTTP.
func versioned(line []byte) bool {
	for len(line) > 0 {
		n := bytes.IndexAny(line, " \t\v\f\r")
		word := line
		if n >= 0 {
			word, line = line[:n], line[n+1:]
		} else {
			line = nil
		}
		if len(word) > 5 && prefixFold(word, "HTTP/") == yes && word[5] >= '0' && word[5] <= '9' {
			return true
		}
	}
	return false
}
