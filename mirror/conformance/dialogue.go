package conformance

import "strings"

// dialogue follows the first commands of SMTP, IMAP, POP3 and FTP, in which the
// client may ask for TLS. It ends at any command that is past them, so that text
// of a mail is never read as a command.
type dialogue struct {
	lines [2]lineBuffer
	state dialogueState
	tag   string // of the command, IMAP
}

type dialogueState uint8

const (
	waiting dialogueState = iota // for the command
	asked
	granted
)

// lineBuffer collects one line, its first octets.
type lineBuffer struct {
	octets [80]byte
	n      int
}

// append takes octets up to the end of a line. It returns the rest, and the line if
// it is whole.
func (l *lineBuffer) append(p []byte) (rest []byte, text string, whole bool) {
	for i, octet := range p {
		if octet == '\n' {
			text = strings.TrimRight(string(l.octets[:l.n]), "\r")
			l.n = 0
			return p[i+1:], text, true
		}
		if l.n < len(l.octets) {
			l.octets[l.n] = octet
			l.n++
		}
	}
	return nil, "", false
}

// followDialogue follows the dialogue of v, if it is one.
func (c *Checker) followDialogue(v *conversation, dir int, p []byte) {
	if dir == fromOrigin && !v.mail && v.halves[fromClient].content.n == 0 && isGreeting(p) {
		v.mail, v.dialogue = true, new(dialogue)
	}
	d := v.dialogue
	for d != nil && len(p) > 0 {
		if d.state == granted && dir == fromClient {
			v.dialogue = nil
			rule, why := STARTTLS, "cleartext follows the granted command"
			if p[0] == 0x16 {
				rule, why = TLS, "TLS follows STARTTLS"
			}
			if o := c.hit(rule, v, dir); o != nil {
				o.Text = why
			}
			return
		}
		var text string
		var whole bool
		if p, text, whole = d.lines[dir].append(p); whole && !d.handleLine(dir, text) {
			d, v.dialogue = nil, nil
		}
	}
}

// isGreeting reports whether p begins as a server of SMTP, FTP, IMAP or POP3
// does.
func isGreeting(p []byte) bool {
	for _, greeting := range []string{"220 ", "220-", "* OK", "+OK"} {
		if strings.HasPrefix(string(p[:min(len(p), 4)]), greeting) {
			return true
		}
	}
	return false
}

// handleLine takes a whole line and reports whether more is to be learned.
func (d *dialogue) handleLine(dir int, text string) bool {
	first, rest := firstWord(text)
	if dir == fromOrigin {
		if d.state == asked {
			d.answer(first, rest)
		}
		return true
	}
	d.tag = ""
	switch first {
	case "EHLO", "HELO", "LHLO", "NOOP", "RSET", "HELP", "VRFY", "CAPA", "FEAT", "SYST":
	case "STARTTLS", "STLS":
		d.state = asked
	case "AUTH": // FTP, RFC 4217; of SMTP and POP3 it is past the dialogue
		if m, _ := firstWord(rest); m != "TLS" && m != "SSL" && m != "TLS-C" {
			return false
		}
		d.state = asked
	default:
		switch command, _ := firstWord(rest); command { // IMAP: a tag comes first
		case "CAPABILITY", "NOOP", "ID":
		case "STARTTLS":
			d.state, d.tag = asked, first
		default:
			return false
		}
	}
	return true
}

// answer takes the origin's word on the command. Lines that belong to earlier
// commands are passed over.
func (d *dialogue) answer(first, rest string) {
	if d.tag != "" {
		if first != d.tag {
			return
		}
		first, _ = firstWord(rest)
	}
	switch {
	case first == "220" || first == "234" || first == "OK" || first == "+OK":
		d.state = granted
	case first == "NO" || first == "BAD" || first == "-ERR" || strings.HasPrefix(first, "4") || strings.HasPrefix(first, "5"):
		d.state = waiting
	}
}
