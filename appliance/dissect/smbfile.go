package dissect

import (
	"github.com/clearspan/clearspan/decrypt/proto"
	"github.com/clearspan/clearspan/decrypt/proto/smb"
)

// smbFile is a file that is open.
type smbFile struct {
	Exchange
	id        smb.FileID
	share     *smbShare // nil: not known
	path      string
	user      string
	size      uint64
	fresh     bool
	directory bool
	remove    bool // it is deleted when it is closed
	unseen    bool // it was opened before the session was seen
	begun     bool
	over      bool
	next      [2]uint64 // offset behind the octets that were told last
	most      [2]uint64 // offset behind the last octet
}

// begin tells of the file, once.
func (f *smbFile) begin(s *Session) {
	if f.begun || f.over {
		return
	}
	f.begun = true
	s.open(&f.Exchange)
	e := &s.event().file
	*e = File{Exchange: &f.Exchange, User: f.user, Share: f.shareName(), Path: f.path, Size: f.size, New: f.fresh}
	s.sink.Event(e)
}

func (f *smbFile) shareName() string {
	if f.share == nil {
		return ""
	}
	return f.share.name
}

// wanted reports whether octets of the file are of a file.
func (f *smbFile) wanted() bool { return !f.over && !f.directory && (f.share == nil || !f.share.pipe) }

// content takes octets of a direction.
func (f *smbFile) content(s *Session, dir proto.Direction, at uint64, p []byte) {
	if !f.wanted() {
		return
	}
	f.begin(s)
	if at == f.next[dir] {
		s.content(&f.Exchange, dir, p)
	} else if places, ok := s.contents.(Places); ok {
		f.octets[dir] += uint64(len(p))
		places.ContentAt(&f.Exchange, dir, at, p)
	} else {
		return
	}
	f.moved(dir, at+uint64(len(p)))
}

// hole takes octets of a direction that are lost.
func (f *smbFile) hole(s *Session, dir proto.Direction, at, n uint64) {
	if !f.wanted() {
		return
	}
	f.begin(s)
	if at == f.next[dir] {
		s.hole(&f.Exchange, dir, n)
	} else if places, ok := s.contents.(Places); ok {
		f.octets[dir] += n
		f.holes[dir] += n
		places.HoleAt(&f.Exchange, dir, at, n)
	} else {
		return
	}
	f.moved(dir, at+n)
}

func (f *smbFile) moved(dir proto.Direction, to uint64) {
	f.next[dir] = to
	f.most[dir] = max(f.most[dir], to)
}

// set takes a change of what is known of the file.
func (f *smbFile) set(s *Session, c *smb.Setting) {
	switch c.What {
	case smb.Rename:
		to := bounded(c.Path)
		f.change(s, to)
		f.path = to
	case smb.Delete:
		f.remove = c.Delete
	case smb.Resize:
		f.size = c.Size
	}
}

// change tells of a file that is renamed or deleted.
func (f *smbFile) change(s *Session, to string) {
	e := &s.event().change
	*e = Change{User: f.user, Share: f.shareName(), Path: f.path, To: to}
	s.sink.Event(e)
}

// close ends both directions, once. What is read has to reach the end of the file to be
// complete.
func (f *smbFile) close(s *Session, how Ending) {
	if f.begun && !f.over {
		s.end(&f.Exchange, proto.ClientToOrigin, how)
		if how == Complete && f.most[proto.OriginToClient] < f.size {
			how = Cut
		}
		s.end(&f.Exchange, proto.OriginToClient, how)
	}
	f.over = true
}
