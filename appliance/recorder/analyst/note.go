package analyst

import "strings"

// note is what clearspan's own feed says of a session, in the comment of a packet.
type note struct {
	session, rule, sni, alpn, ja4, tls string
	decrypted                          bool
}

// readNotes reads the comments that have come since.
func (s *session) readNotes() {
	for ; s.notes < len(s.flow.Comments); s.notes++ {
		rest, ours := strings.CutPrefix(s.flow.Comments[s.notes], "clearspan ")
		if !ours {
			continue
		}
		for word := range strings.FieldsSeq(rest) {
			key, value, _ := strings.Cut(word, "=")
			value = bound(strings.ToValidUTF8(value, "\ufffd"))
			switch key {
			case "session":
				s.noted.session = value
			case "content":
				s.noted.decrypted = value == "decrypted"
			case "rule":
				s.noted.rule = value
			case "sni":
				s.noted.sni = value
			case "alpn":
				s.noted.alpn = value
			case "ja4":
				s.noted.ja4 = value
			case "tls_client":
				s.noted.tls = value
			}
		}
	}
}
