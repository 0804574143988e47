package feed

import (
	"github.com/clearspan/clearspan/appliance/feed/inflate"
	"github.com/clearspan/clearspan/decrypt"
)

// data shows p, as it was before its sender deflated it.
func (f *fanout) data(dir decrypt.Direction, content decrypt.Content, p []byte) {
	f.listen(dir, content, p)
	if f.mail == nil {
		f.show(dir, content, p)
		return
	}
	f.content = content
	f.mail.Data(dir, p, f)
}

// listen recognises IMAP by its greeting.
func (f *fanout) listen(dir decrypt.Direction, content decrypt.Content, p []byte) {
	if f.heard || dir != decrypt.OriginToClient || len(p) == 0 {
		return
	}
	if f.heard = true; content != decrypt.Tunneled && inflate.Begins(p) {
		f.mail = inflate.New()
	}
}

// show hands p to the sinks, and to who reads it for the audit entry.
func (f *fanout) show(dir decrypt.Direction, content decrypt.Content, p []byte) {
	for _, d := range f.deliveries {
		d.data(f.session, dir, content, p)
	}
	if f.facts != nil && content != decrypt.Tunneled {
		f.facts.Data(dir, p)
	}
}

// Show implements [inflate.Sink].
func (f *fanout) Show(dir decrypt.Direction, p []byte) { f.show(dir, f.content, p) }

// Lost implements [inflate.Sink].
func (f *fanout) Lost(dir decrypt.Direction, n uint64) {
	for _, d := range f.deliveries {
		d.omit(dir, lostDeflated, n)
	}
}

// unseen is an [inflate.Sink] for what is shown by another way.
type unseen struct{}

// Show implements [inflate.Sink].
func (unseen) Show(decrypt.Direction, []byte) {}

// Lost implements [inflate.Sink].
func (unseen) Lost(decrypt.Direction, uint64) {}
