package sniff

import "bytes"

// isRedis wants the beginning of an array of bulk strings, the first of which is a
// command (RESP).
func isRedis(b []byte) match {
	rest, m := number(b, "*")
	if m != yes {
		return m
	}
	if rest, m = number(rest, "$"); m != yes {
		return m
	}
	for i, c := range rest {
		switch u := upper(c); {
		case c == '\r' && i > 1:
			return yes
		case (u < 'A' || u > 'Z') && c != '.' && c != '_':
			return no
		}
	}
	return maybe
}

// number wants sign, one to four digits and a line end, and returns what follows.
func number(b []byte, sign string) (rest []byte, m match) {
	if m := prefix(b, sign); m != yes {
		return nil, m
	}
	b = b[len(sign):]
	n := 0
	for n < len(b) && n < 4 && b[n] >= '0' && b[n] <= '9' {
		n++
	}
	if n == len(b) {
		return nil, maybe
	}
	if n == 0 {
		return nil, no
	}
	if m := prefix(b[n:], "\r\n"); m != yes {
		return nil, m
	}
	return b[n+2:], yes
}

// isSyslog wants a message of RFC 5424 or RFC 3164, behind its length (RFC 6587, Section
// 3.4.1) or not.
func isSyslog(b []byte) match {
	n := digits(b, 6)
	if n > 0 {
		if n == len(b) {
			return maybe
		}
		if b[n] != ' ' {
			return no
		}
		b = b[n+1:]
	}
	if m := prefix(b, "<"); m != yes {
		return m
	}
	b = b[1:]
	switch n = digits(b, 3); {
	case n == len(b):
		return maybe
	case n == 0:
		return no
	}
	best := prefix(b[n:], ">1 ")
	for _, month := range months {
		best = max(best, prefix(b[n:], month))
	}
	return best
}

// months begin a time of RFC 3164.
var months = [...]string{">Jan ", ">Feb ", ">Mar ", ">Apr ", ">May ", ">Jun ", ">Jul ", ">Aug ", ">Sep ", ">Oct ", ">Nov ", ">Dec "}

// digits returns how many digits b begins with, at most that many.
func digits(b []byte, most int) (n int) {
	for n < len(b) && n < most && b[n] >= '0' && b[n] <= '9' {
		n++
	}
	return n
}

// isSTOMP wants the frame that begins a connection, up to the name of a header.
func isSTOMP(b []byte) match {
	best := no
	for _, frame := range []string{"CONNECT\n", "STOMP\n", "CONNECT\r\n", "STOMP\r\n"} {
		m := prefix(b, frame)
		if m == yes {
			m = max(prefix(b[len(frame):], "accept-version:"), prefix(b[len(frame):], "host:"), prefix(b[len(frame):], "login:"))
		}
		best = max(best, m)
	}
	return best
}

// target wants a method in capitals, a blank, and the beginning of a target.
func target(b []byte, targets ...string) match {
	const longest = 16 // of methods, in octets
	n := 0
	for n < len(b) && n < longest && (b[n] >= 'A' && b[n] <= 'Z' || b[n] == '_') {
		n++
	}
	switch {
	case n == len(b):
		return maybe
	case n == 0 || b[n] != ' ':
		return no
	}
	best := no
	for _, t := range targets {
		best = max(best, prefix(b[n+1:], t))
	}
	return best
}

// isGit wants a request for a service of the git protocol (gitprotocol-pack).
func isGit(b []byte) match {
	if m := packetLine(b); m != yes {
		return m
	}
	return max(prefix(b[4:], "git-upload-pack "), prefix(b[4:], "git-receive-pack "), prefix(b[4:], "git-upload-archive "))
}

// packetLine wants the length of a pkt-line.
func packetLine(b []byte) match {
	for _, c := range b[:min(len(b), 4)] {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return no
		}
	}
	if len(b) < 4 {
		return maybe
	}
	return yes
}

// isVNC wants the version of RFB (RFC 6143, Section 7.1.1).
func isVNC(b []byte) match {
	if m := prefix(b, "RFB 00"); m != yes {
		return m
	}
	const length = len("RFB 003.008\n")
	switch {
	case len(b) < length:
		return maybe
	case b[7] == '.' && b[length-1] == '\n' && digits(b[8:], 3) == 3:
		return yes
	}
	return no
}

// isManageSieve wants the first capability of a greeting (RFC 5804, Section 1.7).
func isManageSieve(b []byte) match {
	best := no
	for _, capability := range []string{`"IMPLEMENTATION" "`, `"SIEVE" "`, `"SASL" "`, `"VERSION" "`, `"STARTTLS"`} {
		best = max(best, prefixFold(b, capability))
	}
	return best
}

// Commands of dialogues that the origin begins, by what the client may say first.
var (
	ircCommands   = []string{"NICK", "CAP LS", "CAP REQ"}
	imapOnly      = []string{"CAPABILITY", "STARTTLS", "LOGIN", "AUTHENTICATE", "NOOP", "LOGOUT", "ID", "ENABLE", "SELECT", "EXAMINE", "LIST", "NAMESPACE", "COMPRESS", "IDLE"}
	pop3Only      = []string{"CAPA", "APOP", "STLS", "USER", "PASS", "AUTH", "NOOP", "QUIT", "STAT", "LIST", "UTF8", "LANG"}
	nntpOnly      = []string{"CAPABILITIES", "MODE", "AUTHINFO", "STARTTLS", "GROUP", "LIST", "ARTICLE", "HEAD", "STAT", "DATE", "HELP", "QUIT", "IHAVE", "CHECK", "TAKETHIS", "POST", "XOVER", "OVER", "NEWNEWS", "NEWGROUPS"}
	sieveOnly     = []string{"AUTHENTICATE", "STARTTLS", "CAPABILITY", "NOOP", "LOGOUT"}
	smtpAnswers   = []string{"LHLO", "NOOP", "QUIT", "AUTH", "HELP", "XCLIENT"}
	ftpAnswers    = []string{"NOOP", "QUIT", "HELP", "AUTH", "MLST", "MODE", "STRU", "ALLO", "REST", "SITE", "XCRC", "SIZE", "MDTM", "MKD", "RMD", "DELE", "CLNT", "AVBL", "XSHA256"}
	ircFirst      = []string{"NICK", "USER", "PASS", "CAP", "STARTTLS", "AUTHENTICATE", "WEBIRC", "PING", "PONG", "NOTICE", "ERROR", "MODE", "VERSION", "QUIT"}
	ircAnswers    = []string{"NOTICE", "PING", "CAP", "ERROR", "AUTHENTICATE"}
	textDialogues = [][]string{imapOnly, pop3Only, ftpOnly, ftpAnswers, smtpOnly, smtpAnswers}
)

// isText wants a command of IMAP, POP3, FTP or SMTP, perhaps behind a tag. Clients of
// these send commands that their servers do not know, so that the one may stand for the
// other.
func isText(b []byte) match {
	best := no
	for _, commands := range textDialogues {
		best = max(best, command(b, commands))
	}
	space := bytes.IndexByte(b, ' ')
	switch {
	case space < 0 && len(b) <= maxTag && bytes.IndexByte(b, '\n') < 0 && tag(b):
		return max(best, maybe)
	case space > 0 && space <= maxTag && tag(b[:space]):
		return max(best, command(b[space+1:], imapOnly))
	}
	return best
}

// tag reports whether b can be the tag of a command of IMAP.
func tag(b []byte) bool {
	for _, c := range b {
		if u := upper(c); (u < 'A' || u > 'Z') && (c < '0' || c > '9') && c != '.' && c != '-' && c != '_' {
			return false
		}
	}
	return true
}
