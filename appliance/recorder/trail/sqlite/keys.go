package sqlite

import (
	"encoding/hex"
	"fmt"
	"net/netip"

	"github.com/clearspan/clearspan/appliance/recorder/trail"
)

// keyMark begins a key in the index of words. No word has such a character: it is one of private
// use, which the tokenizer takes for a letter.
const keyMark = "\ue000"

// keys are the tokens by which an event is found that are no words: its ends, and the host.
func keys(x *trail.Event) string {
	text := ""
	for _, key := range []string{addressKey('c', x.Client.Addr()), addressKey('s', x.Server.Addr()), hostKey(x.Host)} {
		if key != "" {
			text += key + " "
		}
	}
	return text
}

// addressKey is the key of a client or server.
func addressKey(which byte, a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return keyMark + string(which) + hex.EncodeToString(a.Unmap().AsSlice())
}

// hostKey is the key of hosts that have the same hash.
func hostKey(host string) string {
	if host == "" {
		return ""
	}
	return fmt.Sprintf("%sh%08x", keyMark, uint32(lowerHash(host)))
}
