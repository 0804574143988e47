package dissect

import (
	"bytes"

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
	if bytes.Contains(token, []byte("NTLMSSP\x00")) {
		l.mechanism = "NTLM"
		if user := ntlmUser(token); user != nil {
			l.name(user)
		}
		return
	}
	// The name is within the ticket, which is encrypted (RFC 4120, Section 5.3).
	if kerberos := []byte("\x2a\x86\x48\x86\xf7\x12\x01\x02\x02\x01\x00"); bytes.Contains(token, kerberos) {
		l.mechanism = "KERBEROS"
	}
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
