package dissect

import (
	"github.com/clearspan/clearspan/decrypt/proto"
	"github.com/clearspan/clearspan/decrypt/proto/smb"
)

// answer takes the head of an answer.
func (x *smbReader) answer(m *smb.Message) {
	if m.Status() == smb.Pending {
		return
	}
	r, is := x.requests.take(m.ID())
	if !is || r.command != m.Command() {
		return
	}
	switch r.command {
	case smb.SessionSetup:
		x.loggedIn(m, r.user)
	case smb.TreeConnect:
		if m.Status() == smb.Success {
			x.shares.put(treeKey(m.Session(), m.Tree()), &smbShare{r.share, !m.Disk()})
		}
	case smb.Create:
		x.created(m, r.file)
	case smb.Read:
		if m.Content > 0 {
			x.now[proto.OriginToClient] = access{r.file, r.offset}
		}
	case smb.SetInfo:
		if m.Status() == smb.Success && r.file != nil {
			r.file.set(x.s, &r.setting)
		}
	case smb.Close:
		x.closed(m, r.file)
	}
}

// created takes the answer to a request to open a file.
func (x *smbReader) created(m *smb.Message, f *smbFile) {
	o, ok := m.Opened()
	if !ok {
		f.close(x.s, Cut)
		return
	}
	if f.share == nil {
		f.share = x.shares.get(treeKey(m.Session(), m.Tree()))
	}
	f.size, f.fresh, f.directory = o.Size, o.New, o.Directory
	x.opened(o.File, f)
}

// closed takes the answer to a request to close a file.
func (x *smbReader) closed(m *smb.Message, f *smbFile) {
	if f == nil || m.Status() != smb.Success {
		return
	}
	if size, ok := m.Closed(); ok && size > 0 { // 0 if the file is deleted
		f.size = size
	}
	x.files.take(f.id)
	if f.fresh && f.size == 0 && !f.directory && !f.remove {
		f.begin(x.s)
	}
	f.close(x.s, Complete)
	if f.remove {
		f.change(x.s, "")
	}
}
