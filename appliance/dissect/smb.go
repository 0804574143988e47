package dissect

import (
	"github.com/clearspan/clearspan/decrypt/proto"
	"github.com/clearspan/clearspan/decrypt/proto/smb"
)

const (
	maxSMBRequests = 8192 // without an answer
	maxSMBShares   = 1024
	maxSMBFiles    = 4096 // that are open
	maxSMBPath     = 4096 // octets of a path, in UTF-8
)

// smbReader follows SMB 2 and 3 (MS-SMB2).
type smbReader struct {
	s        *Session
	messages [2]smb.Reader
	requests recent[uint64, smbRequest]
	shares   recent[uint64, *smbShare] // by session and tree, see [treeKey]
	users    recent[uint64, string]    // by session
	logins   recent[uint64, *login]    // under way, by the session; 0 as long as it has no name
	files    recent[smb.FileID, *smbFile]
	before   *smbFile // that the message of the client before is about
	now      [2]access
}

// smbShare is a share that a client has connected to.
type smbShare struct {
	name string
	pipe bool // it has no files
}

// smbRequest is a request that has no answer.
type smbRequest struct {
	command smb.Command
	file    *smbFile
	offset  uint64
	length  uint32
	share   string
	setting smb.Setting
	user    *login
}

// access is where the content of the message at hand lies.
type access struct {
	file   *smbFile // nil: nobody knows
	offset uint64
}

func newSMB(s *Session) *smbReader {
	return &smbReader{
		s:        s,
		messages: [2]smb.Reader{proto.OriginToClient: {Origin: true}},
		requests: recent[uint64, smbRequest]{most: maxSMBRequests},
		shares:   recent[uint64, *smbShare]{most: maxSMBShares},
		users:    recent[uint64, string]{most: maxSMBShares},
		logins:   recent[uint64, *login]{most: maxLogins},
		files:    recent[smb.FileID, *smbFile]{most: maxSMBFiles},
	}
}

// treeKey names a share in a connection. Sessions and trees are numbers that a server
// gives: a collision mixes up names of shares, and nothing else.
func treeKey(session uint64, tree uint32) uint64 { return session*0x9e37_79b9_7f4a_7c15 + uint64(tree) }

func (x *smbReader) data(dir proto.Direction, p []byte) Cause {
	r := &x.messages[dir]
	for len(p) > 0 {
		found, n := r.Next(p)
		octets := p[:n]
		p = p[n:]
		switch found {
		case smb.Head:
			x.now[dir] = access{}
			switch fromOrigin := dir == proto.OriginToClient; {
			case r.Message.Response() != fromOrigin:
			case fromOrigin:
				x.answer(&r.Message)
			default:
				x.request(&r.Message)
			}
		case smb.Content:
			x.content(dir, octets)
		case smb.Encrypted:
			x.s.missed(StopEncrypted)
		case smb.Packed:
			x.s.missed(StopPacked)
		case smb.Old:
			x.s.missed(StopUnknown)
		case smb.Lost:
			x.s.missed(StopBroken)
		}
	}
	return reading
}

// content takes octets that are read or written.
func (x *smbReader) content(dir proto.Direction, p []byte) {
	if a := &x.now[dir]; a.file != nil {
		a.file.content(x.s, dir, a.offset, p)
		a.offset += uint64(len(p))
	}
}

// gap says that octets are lost. The reader goes on at the next message.
func (x *smbReader) gap(dir proto.Direction, n uint64) Cause {
	hole, missed := x.messages[dir].Gap(n)
	if a := &x.now[dir]; a.file != nil && hole > 0 {
		a.file.hole(x.s, dir, a.offset, hole)
		a.offset += hole
	}
	if missed {
		x.now[dir] = access{}
		x.before = nil
		x.s.missed(StopGap)
	}
	return reading
}

// seek has the reader begin in the middle of a session.
func (x *smbReader) seek() {
	x.messages[0].Seek()
	x.messages[1].Seek()
}

func (x *smbReader) end(proto.Direction) {}

func (x *smbReader) close(how Ending) {
	for {
		l, is := x.logins.oldest()
		if !is {
			break
		}
		x.tell(l, Unanswered)
	}
	for {
		f, is := x.files.oldest()
		if !is {
			break
		}
		f.close(x.s, how)
	}
	for {
		r, is := x.requests.oldest()
		if !is {
			break
		}
		if r.file != nil { // it was not opened by an answer
			r.file.close(x.s, how)
		}
	}
}

// request takes the head of a request.
func (x *smbReader) request(m *smb.Message) {
	r := smbRequest{command: m.Command()}
	before := x.before
	if !m.Related() {
		before = nil
	}
	ok := true
	switch r.command {
	case smb.SessionSetup:
		r.user = x.login(m)
	case smb.TreeConnect:
		r.share, ok = m.Share()
		r.share = bounded(r.share)
	case smb.Create:
		r.file, ok = x.opening(m)
		before = r.file
	case smb.Read, smb.Write:
		var a smb.Access
		a, ok = m.Access()
		r.file, r.offset, r.length = x.file(m, a.File, before), a.Offset, a.Length
		before = r.file
		if r.command == smb.Write {
			x.now[proto.ClientToOrigin] = access{r.file, r.offset}
			ok = false // its answer tells nothing
		}
	case smb.SetInfo:
		if r.setting, ok = m.Setting(); ok {
			r.file = x.file(m, r.setting.File, before)
			before = r.file
		}
	case smb.Close:
		var id smb.FileID
		id, ok = m.Closing()
		r.file = x.file(m, id, before)
		before = r.file
	default:
		ok = false
	}
	x.before = before
	if ok {
		x.requests.put(m.ID(), r)
	}
}

// bounded cuts a path.
func bounded(path string) string { return path[:min(len(path), maxSMBPath)] }

// file returns the file that a request is about.
func (x *smbReader) file(m *smb.Message, id smb.FileID, before *smbFile) *smbFile {
	if id == smb.Before {
		return before
	}
	f := x.files.get(id)
	if f == nil { // it was opened before
		f = &smbFile{share: x.shares.get(treeKey(m.Session(), m.Tree())), user: x.users.get(m.Session()), unseen: true}
		x.opened(id, f)
	}
	return f
}

// opened adds a file that is open.
func (x *smbReader) opened(id smb.FileID, f *smbFile) {
	f.id = id
	if gone, is := x.files.put(id, f); is {
		gone.close(x.s, Unread)
	}
}

// opening begins to open a file.
func (x *smbReader) opening(m *smb.Message) (*smbFile, bool) {
	o, ok := m.Opening()
	f := &smbFile{path: bounded(o.Path), user: x.users.get(m.Session()), remove: o.DeleteOnClose, directory: o.Directory}
	if !m.Related() {
		f.share = x.shares.get(treeKey(m.Session(), m.Tree()))
	}
	return f, ok
}
