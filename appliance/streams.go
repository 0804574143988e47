package appliance

import (
	"github.com/clearspan/clearspan/appliance/audit"
	"github.com/clearspan/clearspan/appliance/feed/http2"
)

// streams tells what became of an HTTP/2 session that was shown as HTTP/1.1; nil
// for any other.
func (b *branch) streams() ([]audit.Stream, *audit.Transcoded) {
	h, ok := b.conversation.(*http2.Session)
	if !ok {
		return nil, nil
	}
	r := h.Report()
	list := make([]audit.Stream, len(r.Mapped))
	for i, st := range r.Mapped {
		list[i] = audit.Stream(st)
	}
	return list, &audit.Transcoded{
		Streams: r.Streams, Octets: r.Rendered[0] + r.Rendered[1], Lost: r.RenderedLost[0] + r.RenderedLost[1],
		Replaced: r.Replaced, Raw: r.Raw[0] + r.Raw[1], Reason: r.RawReason,
	}
}
