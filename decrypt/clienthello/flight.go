package clienthello

import "bytes"

// InFlight borrows p, what a client sends at once, and finds a well-formed hello that p
// begins with, or ends with behind other octets, of which it looks behind most at most. It
// returns where the hello begins. The error is [ErrShort] if p may become a hello with
// more octets, and [ErrNotTLS] if there is none.
func InFlight(p []byte, most int) (at int, err error) {
	if err := well(p); err == nil || err == ErrShort {
		return 0, err
	}
	for at = 1; at < min(len(p), most); at++ {
		next := bytes.Index(p[at:min(len(p), most)], []byte{typeHandshake, 3})
		if next < 0 {
			break
		}
		at += next
		switch n, err := Complete(p[at:]); {
		case err == nil && n == len(p)-at && well(p[at:]) == nil:
			return at, nil
		case err == ErrShort && len(p)-at > recordHeader: // it comes in several segments
			return 0, ErrShort
		}
	}
	return 0, ErrNotTLS
}

// well returns nil if p begins with a well-formed hello.
func well(p []byte) error {
	_, _, err := Parse(p)
	return err
}
