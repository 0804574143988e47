package dissect

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"

	"github.com/clearspan/clearspan/decrypt/proto/http1"
	"github.com/clearspan/clearspan/decrypt/proto/line"
)

const (
	maxCredentials = 16 << 10 // octets of a field
	maxWebLogins   = 64       // without an answer
)

// webLogins are those in requests whose answer did not come yet. A client says the same with
// each request: only what differs from the last one of its kind is told.
type webLogins struct {
	open []webLogin
	told [2]Login // the last one to a server, and to a proxy
}

// webLogin is one.
type webLogin struct {
	exchange uint64
	kind     int // 0 a server, 1 a proxy
	login    Login
}

// The fields with credentials (RFC 9110, Sections 11.6.2 and 11.7.2), and the status that
// refuses them.
var credentials = [2]struct {
	field   string
	refuses int
}{{"authorization", 401}, {"proxy-authorization", 407}}

// request looks for logins in a request.
func (l *webLogins) request(x *Exchange, f *Fields) {
	for kind := range credentials {
		value := f.Get(credentials[kind].field)
		if value == nil || len(value) > maxCredentials || len(l.open) >= maxWebLogins {
			continue
		}
		mechanism, user := userIn(value)
		if len(user) > 0 {
			user = bytes.Clone(user[:min(len(user), maxUser)]) // without the password beside
			l.open = append(l.open, webLogin{x.Number, kind, Login{User: user, Mechanism: mechanism}})
		}
	}
}

// answered tells of the logins that an answer is to.
func (l *webLogins) answered(s *Session, x *Exchange, status int) {
	kept := l.open[:0]
	for _, w := range l.open {
		if w.exchange != x.Number {
			kept = append(kept, w)
			continue
		}
		w.login.Outcome = Granted
		if status == credentials[w.kind].refuses {
			w.login.Outcome = Refused
		}
		last := &l.told[w.kind]
		if bytes.Equal(last.User, w.login.User) && last.Mechanism == w.login.Mechanism && last.Outcome == w.login.Outcome {
			continue
		}
		*last = w.login
		s.event().login = w.login
		s.sink.Event(&s.event().login)
	}
	if l.open = kept; len(kept) == 0 {
		l.open = nil
	}
}

// userIn returns the scheme and the user of credentials; no user if they do not tell.
func userIn(value []byte) (scheme string, user []byte) {
	word, rest := line.Word(value, line.Blanks)
	switch {
	case http1.Is(word, "basic"): // RFC 7617, Section 2
		user, _, _ = bytes.Cut(unbase64(rest), []byte{':'})
		return "Basic", user
	case http1.Is(word, "digest"): // RFC 7616, Section 3.4
		return "Digest", digestUser(rest)
	case http1.Is(word, "ntlm"):
		return "NTLM", ntlmUser(unbase64(rest))
	case http1.Is(word, "negotiate"): // RFC 4559; Kerberos hides the user
		return "Negotiate", ntlmUser(unbase64(rest))
	}
	return "", nil
}

func unbase64(text []byte) []byte {
	plain := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	n, err := base64.StdEncoding.Decode(plain, text)
	if err != nil {
		return nil
	}
	return plain[:n]
}

// digestUser returns the parameter username of a Digest.
func digestUser(p []byte) []byte {
	for len(p) > 0 {
		var name, value []byte
		name, value, p = parameter(p)
		switch {
		case http1.Is(name, "username"):
			return value
		case http1.Is(name, "username*"): // RFC 5987
			return unescape(value[bytes.LastIndexByte(value, '\'')+1:])
		}
	}
	return nil
}

// unescape takes percent-encoding off, where it is right.
func unescape(text []byte) (plain []byte) {
	for i := 0; i < len(text); i++ {
		var c [1]byte
		if text[i] == '%' && i+2 < len(text) {
			if _, err := hex.Decode(c[:], text[i+1:i+3]); err == nil {
				plain = append(plain, c[0])
				i += 2
				continue
			}
		}
		plain = append(plain, text[i])
	}
	return plain
}

// parameter takes a name with a value, which may be quoted, off a list with commas.
func parameter(p []byte) (name, value, rest []byte) {
	name, p, _ = bytes.Cut(p, []byte{'='})
	name, p = bytes.Trim(name, " \t,"), bytes.TrimLeft(p, " \t")
	if len(p) == 0 || p[0] != '"' {
		value, rest, _ = bytes.Cut(p, []byte{','})
		return name, bytes.TrimSpace(value), rest
	}
	for i := 1; i < len(p); i++ {
		switch {
		case p[i] == '\\' && i+1 < len(p):
			i++
			value = append(value, p[i])
		case p[i] == '"':
			return name, value, p[i+1:]
		default:
			value = append(value, p[i])
		}
	}
	return name, value, nil
}
