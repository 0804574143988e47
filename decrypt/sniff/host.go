package sniff

import "github.com/clearspan/clearspan/decrypt/proto/http1"

// hostLimit is how much of a request head is looked at, in octets.
const hostLimit = 16 << 10

// Host borrows b, the beginning of an HTTP/1 connection, and returns the host that
// its first request asks for, without port and without the brackets of an IPv6
// address, in the client's spelling. [http1.Host] has the rule. Host waits for the
// whole head, because a second Host field would put the first one in doubt. more
// reports that the head is not complete; it is false from 16 KiB on. doubt reports
// that servers may take the request for different hosts; the host is "" then, and as
// long as more is true.
func Host(b []byte) (host string, doubt, more bool) {
	h, more := http1.FindHost(b[:min(len(b), hostLimit)])
	if more && len(b) < hostLimit {
		return "", true, true
	}
	return string(h.Name), h.Doubt.Doubtful(), false
}
