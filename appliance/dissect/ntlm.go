package dissect

import (
	"bytes"
	"encoding/binary"
	"unicode/utf16"
)

// ntlmUser returns domain and user in an AUTHENTICATE_MESSAGE of NTLM ([MS-NLMP], Section
// 2.2.1.3), which may stand within a token of SPNEGO; nil without one.
func ntlmUser(p []byte) []byte {
	const (
		signature    = "NTLMSSP\x00"
		authenticate = 3
		domainAt     = 28
		userAt       = 36
		flagsAt      = 60
		unicode      = 1
	)
	at := bytes.Index(p, []byte(signature))
	if at < 0 {
		return nil
	}
	if p = p[at:]; len(p) < flagsAt+4 || binary.LittleEndian.Uint32(p[len(signature):]) != authenticate {
		return nil
	}
	wide := binary.LittleEndian.Uint32(p[flagsAt:])&unicode != 0
	user := ntlmText(p, userAt, wide)
	if len(user) == 0 {
		return nil
	}
	if domain := ntlmText(p, domainAt, wide); len(domain) > 0 {
		return append(append(domain, '\\'), user...)
	}
	return user
}

// ntlmText returns a text of a message, whose length and place are told at an offset.
func ntlmText(p []byte, at int, wide bool) []byte {
	n, from := int(binary.LittleEndian.Uint16(p[at:])), int(binary.LittleEndian.Uint32(p[at+4:]))
	if from < 0 || from > len(p) || n > len(p)-from || n > 2*maxUser {
		return nil
	}
	text := p[from : from+n]
	if !wide {
		return bytes.Clone(text)
	}
	units := make([]uint16, 0, n/2)
	for ; len(text) >= 2; text = text[2:] {
		units = append(units, binary.LittleEndian.Uint16(text))
	}
	return []byte(string(utf16.Decode(units)))
}
