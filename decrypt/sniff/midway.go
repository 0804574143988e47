package sniff

import (
	"bytes"

	"github.com/clearspan/clearspan/decrypt/proto"
	"github.com/clearspan/clearspan/decrypt/proto/http1"
	"github.com/clearspan/clearspan/decrypt/proto/line"
)

// Midway borrows b, what one direction says behind the other somewhere in a session, and
// tells the protocol: [HTTP] by a request or an answer with its version, and [SMTP], [POP3],
// [FTP] and [IMAP] by a command that needs none before it, and [SMB] by a packet of SMB 2. It is for readers that lost their
// place, or never had it. more reports that further octets of the line could tell. What is
// decided stays decided. Midway does not allocate.
func Midway(dir proto.Direction, b []byte) (p Protocol, more bool) {
	packet := isSMB2(b)
	if packet == yes {
		return SMB, false
	}
	if dir == proto.OriginToClient {
		m := isAnswer(b)
		if m == yes {
			return HTTP, false
		}
		return Unknown, max(m, packet) == maybe
	}
	end := bytes.IndexByte(b, '\n')
	if end < 0 {
		request, open := http1.Recognize(b)
		return Unknown, len(b) < clientLimit && (request || open) || len(b) < originLimit && printable(b) || packet == maybe
	}
	b = b[:end+1]
	switch {
	case requests(b):
		return HTTP, false
	case end >= originLimit || !printable(b[:end]):
		return Unknown, false
	case prefixFold(b, "MAIL FROM:") == yes, command(b, smtpMidway) == yes:
		return SMTP, false
	case numbered(b):
		return POP3, false
	case command(b, ftpMidway) == yes:
		return FTP, false
	case tagged(b):
		return IMAP, false
	}
	return Unknown, false
}

var (
	smtpMidway = []string{"EHLO", "HELO", "LHLO", "RSET"}
	pop3Midway = []string{"RETR", "TOP", "DELE", "LIST"} // with a number
	ftpMidway  = []string{"PASV", "EPSV", "PORT", "EPRT", "CWD", "TYPE", "RETR", "STOR", "APPE", "NLST", "MLSD", "SIZE", "MDTM"}
	imapMidway = []string{
		"UID", "FETCH", "SELECT", "EXAMINE", "APPEND", "LSUB", "STATUS", "SEARCH", "STORE", "COPY", "MOVE", "IDLE", "CLOSE", "EXPUNGE",
		"UNSELECT", "NAMESPACE", "LIST", "CAPABILITY", "LOGIN", "AUTHENTICATE", "NOOP", "ENABLE", "ID", "COMPRESS",
	}
)

// isSMB2 wants the length of a packet and a message of SMB 2 or 3 in it (MS-SMB2, Sections
// 2.1 and 2.2.1).
func isSMB2(b []byte) match {
	switch {
	case len(b) > 0 && b[0] != 0:
		return no
	case len(b) < 5:
		return maybe
	}
	return prefix(b[4:], "\xfeSMB\x40\x00")
}

// isAnswer wants the beginning of a status line of HTTP/1.
func isAnswer(b []byte) match {
	const example = "HTTP/1.1 200"
	for i, c := range b[:min(len(b), len(example))] {
		if i == len("HTTP/1.") || i > len("HTTP/1.1") {
			if c < '0' || c > '9' {
				return no
			}
		} else if c != example[i] {
			return no
		}
	}
	if len(b) < len(example) {
		return maybe
	}
	return yes
}

// requests reports whether a whole line is a request line of HTTP/1 with a version.
func requests(b []byte) bool {
	is, _ := http1.Recognize(b)
	text := line.Trim(b)
	blank := bytes.LastIndexByte(text, ' ')
	return is && blank > 0 && prefix(text[blank+1:], "HTTP/1.") == yes
}

// numbered reports whether a whole line is a command of POP3 with the number of a message,
// or one that only POP3 has.
func numbered(b []byte) bool {
	word, rest := line.Word(b, line.Blanks)
	if line.Is(word, "UIDL") || line.Is(word, "CAPA") || line.Is(word, "APOP") {
		return true
	}
	number, _ := line.Word(rest, line.Blanks)
	return command(b, pop3Midway) == yes && len(number) > 0 && digits(number, len(number)) == len(number)
}

// tagged reports whether a whole line is a tag and a command of IMAP.
func tagged(b []byte) bool {
	blank := bytes.IndexByte(b, ' ')
	return blank > 0 && blank <= maxTag && tag(b[:blank]) && command(b[blank+1:], imapMidway) == yes
}

// printable reports whether octets may be of a command line.
func printable(b []byte) bool {
	for _, c := range b {
		if c < ' ' && c != '\t' && c != '\r' {
			return false
		}
	}
	return true
}
