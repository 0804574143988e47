package authority

import (
	"os"
	"strings"
	"time"
)

// Beginnings of the common names of authorities that clearspan makes.
const (
	TrustedName   = "clearspan inspection authority"
	UntrustedName = "clearspan UNTRUSTED authority"
)

// maxName bounds a common name, in octets (RFC 5280, Appendix A.1, ub-common-name).
const maxName = 64

// Name returns the common name of an authority that is made now: what it is, then the
// first label of the name of this machine and the date. Among the trusted certificates of
// a client, it tells boxes and generations apart.
func Name(what string, now time.Time) string {
	host, _ := os.Hostname()
	return name(what, host, now)
}

func name(what, host string, now time.Time) string {
	host, _, _ = strings.Cut(host, ".")
	host = strings.Map(func(c rune) rune {
		if c <= ' ' || c > '~' {
			return -1
		}
		return c
	}, host)
	end := " " + now.UTC().Format(time.DateOnly)
	host = host[:min(len(host), maxName-len(what)-len(" ")-len(end))]
	if host == "" {
		return what + end
	}
	return what + " " + host + end // no comma: it would have to be escaped in subjects
}
