package inflate

import (
	"github.com/clearspan/clearspan/decrypt/proto"
	"github.com/clearspan/clearspan/decrypt/proto/imap"
)

// watch finds the place where COMPRESS is granted.
type watch struct {
	imap    *imap.Watch[struct{}]
	lost    bool // the dialogue cannot be followed any more
	granted bool
}

func newWatch() watch { return watch{imap: imap.NewWatch[struct{}]()} }

// read takes octets that are not deflated off p, and returns how many: all, unless
// COMPRESS is granted.
func (w *watch) read(dir proto.Direction, p []byte) (n int) {
	for n < len(p) && !w.granted {
		if w.lost {
			return len(p)
		}
		var k int
		if dir == proto.ClientToOrigin {
			var ok bool
			_, k, ok = w.imap.Client(p[n:])
			w.lost = !ok
		} else {
			var h imap.Heard[struct{}]
			h, k = w.imap.Server(p[n:])
			w.granted = h.IsFirst && h.Answer.To == imap.COMPRESS && h.Answer.Status == imap.OK
		}
		n += k
	}
	return n
}
