package mail

import (
	"errors"
	"io"
	"sync"

	"github.com/clearspan/clearspan/decrypt"
)

// protocolData is the word for a data connection of FTP.
const protocolData = "ftp-data"

// A data connection was reset because a service has refused its file.
// Cause: The file is infected, too long, or could not be inspected.
// Do: See `service` and `service_finding`.
const reasonFile = "ftp-file-refused"

// errFile ends a data connection. It is no fault.
var errFile = &refused{}

type refused struct{}

func (*refused) Error() string { return "relay file: refused" }

// Reason is why the session ends, in the audit entry.
func (*refused) Reason() string { return reasonFile }

// files carries a data connection of FTP. What one end sends is one file, or a list of
// files. The other end gets it when the service has decided.
func files(look *scan, near, far decrypt.End) error {
	var wg sync.WaitGroup
	var errs [2]error
	pass := func(i int, from, to decrypt.End) {
		errs[i] = decrypt.Contain(func() error { return look.file(from, to) })
		if errs[i] != nil {
			near.Abort()
			far.Abort()
		}
	}
	wg.Go(func() { pass(1, far, near) })
	pass(0, near, far)
	wg.Wait()
	if errors.Is(errs[1], errFile) {
		return errs[1] // the other error is due to it
	}
	return errors.Join(errs[0], errs[1])
}

// file relays one direction.
func (x *scan) file(from, to decrypt.End) error {
	c := x.newContent(false)
	defer func() { c.close() }()
	in := newInput(from)
	for {
		p, err := in.some()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if int64(len(p)) > c.most-c.length && x.cfg.FailOpen && c.lost == nil {
			return x.long(c, in, to)
		}
		c.Write(p)
		in.br.Discard(len(p))
	}
	switch {
	case c.large, c.lost != nil:
		x.served(WordFailedClosed, 0)
		return errFile
	case c.length == 0:
		return to.CloseWrite()
	}
	v := x.examine(shown{content: c, media: "application/octet-stream"})
	switch v.word {
	case WordBlocked, WordFailedClosed:
		return errFile
	case WordModified:
		c.close()
		c = v.changed
	}
	if _, err := io.Copy(to, c.raw()); err != nil {
		return err
	}
	return to.CloseWrite()
}

// long relays a file that is too long to be held, if the service fails open.
func (x *scan) long(c *content, in *input, to decrypt.End) error {
	x.served(WordFailedOpen, 0)
	if _, err := io.Copy(to, c.raw()); err != nil {
		return err
	}
	c.close()
	if _, err := io.Copy(to, in.br); err != nil {
		return err
	}
	return to.CloseWrite()
}
