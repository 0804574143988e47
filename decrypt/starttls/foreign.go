package starttls

import (
	"github.com/clearspan/clearspan/decrypt/proto/smtp"
	"github.com/clearspan/clearspan/decrypt/sniff"
)

// commander is a grammar that knows where a command of its client begins.
type commander interface{ commands() bool }

// Check has the dialogue come to Foreign as soon as the client says what is no command,
// in a dialogue of SMTP, IMAP, POP3 or FTP. Lines wait until they tell. Others go on as
// before.
func (d *Dialogue) Check() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.checks = true
}

// foreign looks at the client's next octets, and reports whether they must not be passed
// now: it moves the dialogue to Foreign, or waits for more of the line.
func (d *Dialogue) foreign(p []byte) bool {
	c, ok := d.grammar.(commander)
	if !ok || !d.checks || d.state != Following || d.client.line.Partial() || d.client.opaque > 0 || !c.commands() {
		return false
	}
	fits, more := sniff.Continues(d.protocol, p)
	switch {
	case more && len(p) < maxLine:
		return true
	case !fits: // nor can what is longer be told from a request
		d.state = Foreign
		return true
	}
	return false
}

func (l lines) commands() bool {
	c, ok := l.lineProtocol.(commander)
	return ok && c.commands()
}

func (x *mailGrammar) commands() bool { return x.dialogue.Next() == smtp.Line }
func (x *mailbox) commands() bool     { return !x.response && !x.rest }
func (x *postOffice) commands() bool  { return !x.response }
func (x *fileGrammar) commands() bool { return true }
