package recorder

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/clearspan/clearspan/appliance/recorder/seal"
)

// AccessName is the log of accesses in the directory of a recorder, a line of JSON each. See
// package api.
const AccessName = "access.jsonl"

// maxAccessLink bounds the octets of the log that are in one link.
const maxAccessLink = 64 << 20

// accesses adds the lines of the log of accesses that have come.
func (s *sealer) accesses() error {
	f, err := os.Open(filepath.Join(s.dir, AccessName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	for {
		p, err := io.ReadAll(io.NewSectionReader(f, s.access, maxAccessLink))
		if err != nil {
			return err
		}
		whole := bytes.LastIndexByte(p, '\n') + 1 // another line may be under way
		if whole == 0 {
			return nil
		}
		sum := sha256.Sum256(p[:whole])
		to := s.access + int64(whole)
		if err := s.chain.Append(seal.Link{Kind: seal.Access, Name: AccessName, From: s.access, To: to, SHA256: hex.EncodeToString(sum[:])}); err != nil {
			return err
		}
		s.access = to
	}
}

// accessLog compares lines of the log of accesses with their link.
func (v *verification) accessLog(l seal.Link) {
	sum, err := func() (string, error) {
		f, err := os.Open(filepath.Join(v.dir, AccessName))
		if err != nil {
			return "", err
		}
		defer f.Close()
		h := sha256.New()
		n, err := io.Copy(h, io.NewSectionReader(f, l.From, l.To-l.From))
		if err == nil && n != l.To-l.From {
			err = fmt.Errorf("%s is shorter than it was", AccessName)
		}
		return hex.EncodeToString(h.Sum(nil)), err
	}()
	switch {
	case err != nil:
		v.fault("log of accesses: %v", err)
	case l.From != v.access:
		v.fault("log of accesses: link %d begins at octet %d, octet %d was the last one", l.Seq, l.From, v.access)
	case sum != l.SHA256:
		v.fault("log of accesses: lines from octet %d to %d were changed", l.From, l.To)
	}
	v.access = l.To
}
