package dissect

import (
	"bytes"
	"encoding/binary"

	"github.com/clearspan/clearspan/decrypt/proto/smb"
)

// login takes a step of a login. It returns nil if the step has no token.
func (x *smbReader) login(m *smb.Message) *login {
	token := m.Token()
	if len(token) == 0 {
		return nil
	}
	l := x.logins.get(m.Session())
	if l == nil {
		l = &login{}
	}
	readToken(l, token)
	return l
}

// readToken reads the mechanism, and the user's name if it is there. SPNEGO (RFC 4178) may
// surround both.
func readToken(l *login, token []byte) {
	if at := bytes.Index(token, []byte("NTLMSSP\x00")); at >= 0 {
		l.mechanism = "NTLM"
		if user := ntlmUser(token[at:]); user != "" {
			l.name([]byte(user))
		}
		return
	}
	// The name is within the ticket, which is encrypted (RFC 4120, Section 5.3).
	if kerberos := []byte("\x2a\x86\x48\x86\xf7\x12\x01\x02\x02\x01\x00"); bytes.Contains(token, kerberos) {
		l.mechanism = "KERBEROS"
	}
}

// ntlmUser returns domain and user of the message in which a client answers a challenge
// (MS-NLMP, Section 2.2.1.3); "" for others, and for nobody.
func ntlmUser(b []byte) string {
	const authenticate, unicode = 3, 1
	if len(b) < 64 || binary.LittleEndian.Uint32(b[8:]) != authenticate {
		return ""
	}
	text := func(at int) string {
		n, offset := int(binary.LittleEndian.Uint16(b[at:])), int(binary.LittleEndian.Uint32(b[at+4:]))
		if offset > len(b) || n > len(b)-offset {
			return ""
		}
		if b[60]&unicode != 0 {
			return smb.Text(b[offset : offset+n])
		}
		return string(b[offset : offset+n])
	}
	domain, user := text(28), text(36)
	if user == "" || domain == "" {
		return user
	}
	return domain + `\` + user
}

// loggedIn takes the answer to a step of a login.
func (x *smbReader) loggedIn(m *smb.Message, l *login) {
	if l == nil {
		return
	}
	x.logins.take(m.Session())
	switch m.Status() {
	case smb.MoreProcessing:
		if gone, is := x.logins.put(m.Session(), l); is {
			x.tell(gone, Unanswered)
		}
	case smb.Success:
		x.users.put(m.Session(), string(l.user))
		x.tell(l, Granted)
	default:
		x.tell(l, Refused)
	}
}

// tell tells of a login.
func (x *smbReader) tell(l *login, o Outcome) {
	if l.mechanism == "" {
		return
	}
	e := &x.s.event().login
	*e = Login{User: l.user, Mechanism: l.mechanism, Outcome: o}
	x.s.sink.Event(e)
}
