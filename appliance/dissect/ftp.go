package dissect

import (
	"bytes"
	"slices"

	"github.com/clearspan/clearspan/decrypt/proto"
	"github.com/clearspan/clearspan/decrypt/proto/ftp"
	"github.com/clearspan/clearspan/decrypt/proto/line"
	"github.com/clearspan/clearspan/decrypt/proto/pipeline"
)

const (
	maxFTPLine  = 2 << 10 // octets of a line
	maxFileName = 1 << 10 // of a name
	maxFiles    = 16      // transfers without a last reply
)

// ftpReader follows the control connection of FTP (RFC 959).
type ftpReader struct {
	s       *Session
	control *ftp.Control
	lines   [2]line.Buffer
	replies ftp.Replies
	greeted bool
	sent    pipeline.Queue[ftpCommand] // without a last reply
	logins  logins
	files   [][]byte // names of transfers in sent
}

// ftpCommand is a command as far as its reply matters.
type ftpCommand uint8

const (
	ftpOther ftpCommand = iota
	ftpUser
	ftpPass
	ftpGet
	ftpPut
)

func newFTP(s *Session) *ftpReader {
	kept := line.Buffer{Head: maxFTPLine}
	return &ftpReader{s: s, control: ftp.NewControl(false), lines: [2]line.Buffer{kept, kept}}
}

func (x *ftpReader) data(dir proto.Direction, p []byte) Cause {
	for len(p) > 0 {
		text, n, whole := x.lines[dir].Next(p)
		x.announce(dir, p[:n])
		p = p[n:]
		switch {
		case !whole:
		case dir == proto.OriginToClient:
			x.reply(text)
		case !x.command(text):
			return StopBound
		}
	}
	return reading
}

// announce tells of data connections that are announced in octets of a direction.
func (x *ftpReader) announce(dir proto.Direction, p []byte) {
	read := x.control.Client
	if dir == proto.OriginToClient {
		read = x.control.Origin
	}
	for _, d := range read(p) {
		x.s.event().channel = Channel{Active: d.Active, Address: d.Address, Port: d.Port}
		x.s.sink.Event(&x.s.event().channel)
	}
}

// lists are the commands beside those for files that take a data connection.
var lists = [...]string{"LIST", "NLST", "MLSD"}

// begun tells of a command that takes a data connection.
func (x *ftpReader) begun(verb, argument []byte, c ftpCommand) {
	e := Command{Verb: bytes.ToUpper(verb), Name: argument[:min(len(argument), maxFileName)], Direction: proto.OriginToClient, File: c != ftpOther}
	if c == ftpPut {
		e.Direction = proto.ClientToOrigin
	}
	x.s.event().command = e
	x.s.sink.Event(&x.s.event().command)
}

// command takes a command line. It returns false if too many have no reply.
func (x *ftpReader) command(text []byte) bool {
	verb, argument := ftp.ParseCommand(text)
	c := ftpOther
	switch {
	case line.Is(verb, "USER"):
		c = ftpUser
		x.logins.begin("USER", argument)
	case line.Is(verb, "PASS"):
		c = ftpPass
	case line.Is(verb, "AUTH"):
		x.s.turns()
	case line.Is(verb, "RETR"):
		c = ftpGet
	case line.Is(verb, "STOR"), line.Is(verb, "STOU"), line.Is(verb, "APPE"):
		c = ftpPut
	}
	if c == ftpGet || c == ftpPut {
		if len(x.files) >= maxFiles {
			return false
		}
		x.files = append(x.files, bytes.Clone(argument[:min(len(argument), maxFileName)]))
	}
	if c == ftpGet || c == ftpPut || slices.ContainsFunc(lists[:], func(l string) bool { return line.Is(verb, l) }) {
		x.begun(verb, argument, c)
	}
	return x.sent.Push(c)
}

// reply takes a line of the server. Replies from 100 to 199 are not the last ones.
func (x *ftpReader) reply(text []byte) {
	r, ok := x.replies.Next(text)
	if !ok || !r.Last || r.Code < 200 {
		return
	}
	if !x.greeted {
		x.greeted = true
		return
	}
	c, _ := x.sent.Front()
	x.sent.Pop()
	switch c {
	case ftpUser:
		if r.Code/100 != 3 {
			x.logins.answered(x.s, r.Code/100 == 2)
		}
	case ftpPass:
		if r.Code/100 != 3 { // an account is asked for
			x.logins.answered(x.s, r.Code/100 == 2)
		}
	case ftpGet:
		x.transfer(proto.OriginToClient, r.Code)
	case ftpPut:
		x.transfer(proto.ClientToOrigin, r.Code)
	}
}

// transfer tells of the oldest transfer.
func (x *ftpReader) transfer(dir proto.Direction, code int) {
	name := x.files[0]
	if x.files = x.files[1:]; len(x.files) == 0 {
		x.files = nil
	}
	x.s.event().transfer = Transfer{Name: name, Direction: dir, Code: code}
	x.s.sink.Event(&x.s.event().transfer)
}

func (x *ftpReader) gap(proto.Direction, uint64) Cause { return StopGap }

func (x *ftpReader) end(proto.Direction) {}

func (x *ftpReader) close(Ending) {
	x.logins.close(x.s)
	for ; len(x.files) > 0; x.sent.Pop() {
		switch c, _ := x.sent.Front(); c {
		case ftpGet:
			x.transfer(proto.OriginToClient, 0)
		case ftpPut:
			x.transfer(proto.ClientToOrigin, 0)
		}
	}
}
