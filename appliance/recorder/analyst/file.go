package analyst

import (
	"github.com/clearspan/clearspan/appliance/dissect"
	"github.com/clearspan/clearspan/appliance/recorder/flow"
	"github.com/clearspan/clearspan/decrypt/proto"
)

// files are the data connections of FTP that are expected.
type files struct{}

// transfer is a file on a data connection.
type transfer struct{}

func (f *files) expected(*flow.Session) *transfer { return nil }

func (t *transfer) data(s *session, dir proto.Direction, p []byte) {}
func (t *transfer) gap(s *session, dir proto.Direction, n uint64)  {}
func (t *transfer) end(dir proto.Direction)                        {}
func (t *transfer) close(s *session)                               {}

// transfer notes a file of FTP.
func (s *session) transfer(t *dissect.Transfer) {}
