package recorder

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io/fs"
	"path/filepath"
	"sync"
	"time"

	"github.com/clearspan/clearspan/appliance/recorder/seal"
	"github.com/clearspan/clearspan/appliance/recorder/volume"
)

const (
	sealDir   = "seal"
	signEvery = time.Hour
)

// sealer adds to the chain what has come since. It is safe for concurrent use.
type sealer struct {
	mu      sync.Mutex
	dir     string
	archive *Archive
	chain   *seal.Chain
	rows    map[string]int64 // the last event of each day that is in the chain
	volume  uint64           // the last volume
	access  int64            // octets of the log of accesses
	list    *objectList
	stamps  *stamper // nil: nobody is asked
	held    uint64   // the last line of the chain of cases that is in this one
	gone    int      // the last list of objects that were removed
	signed  time.Time
}

// openSealer opens the chain of the directory of a recorder.
func openSealer(dir string, a *Archive) (*sealer, error) {
	s := &sealer{dir: dir, archive: a, rows: make(map[string]int64), signed: time.Now(), list: a.list}
	var err error
	if s.chain, err = seal.Open(filepath.Join(dir, sealDir)); err != nil {
		return nil, err
	}
	key, err := seal.PublicKey(seal.OwnKey(filepath.Join(dir, sealDir)))
	if err == nil {
		_, err = seal.Verify(filepath.Join(dir, sealDir), key, func(l seal.Link) {
			switch l.Kind {
			case seal.Rows:
				s.rows[l.Name] = max(s.rows[l.Name], l.To)
			case seal.Volume:
				s.volume = max(s.volume, uint64(l.From))
			case seal.Access:
				s.access = max(s.access, l.To)
			case seal.Objects:
				s.list.linked = max(s.list.linked, l.From)
			case seal.Cases:
				s.held = uint64(l.To)
			case seal.Removed:
				delete(s.rows, l.Name) // rows that come late have numbers from 1 again
				s.gone = max(s.gone, goneNumber(l.Name))
			}
		})
	}
	if err != nil {
		return nil, errors.Join(err, s.chain.Close())
	}
	return s, nil
}

// volumes adds volumes that are complete.
func (s *sealer) volumes() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addVolumes()
}

func (s *sealer) addVolumes() error {
	list, err := volume.List(filepath.Join(s.dir, volumeDir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, v := range list {
		if v.Number <= s.volume {
			continue
		}
		err := s.chain.Append(seal.Link{
			Kind: seal.Volume, Name: v.Name(), From: int64(v.Number), Size: v.Size, Dropped: v.Dropped, SHA256: v.SHA256,
		})
		if err != nil {
			return err
		}
		s.volume = v.Number
	}
	return nil
}

// maxNumber is beyond the numbers of events.
const maxNumber = 1<<63 - 1

// sign adds rows that have come, and signs. Rows are written before.
func (s *sealer) sign(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.signed = time.Now()
	if err := s.events(ctx); err != nil {
		return err
	}
	if err := s.addVolumes(); err != nil {
		return err
	}
	if err := s.accesses(); err != nil {
		return err
	}
	lists, err := s.list.end()
	if err != nil {
		return err
	}
	for _, l := range lists {
		if err := s.chain.Append(l); err != nil {
			return err
		}
		s.list.linked = l.From
	}
	if err := s.cases(); err != nil {
		return err
	}
	before, _ := s.chain.Head()
	if err := s.chain.Sign(); err != nil {
		return err
	}
	if seq, head := s.chain.Head(); seq != before {
		s.stamps.want(seq, head)
	}
	return nil
}

// stamped adds the token that has come.
func (s *sealer) stamped() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.stamps.take()
	if t == nil {
		return nil
	}
	return s.chain.Append(seal.Link{
		Kind: seal.Timestamp, Name: t.authority, From: int64(t.seq), SHA256: t.head, Token: base64.StdEncoding.EncodeToString(t.token),
	})
}

// cases adds how far the chain of cases has come: who cuts it off is told of.
func (s *sealer) cases() error {
	seq, hash, err := seal.CasesHead(filepath.Join(s.dir, sealDir))
	if err != nil || seq <= s.held {
		return err
	}
	s.held = seq
	return s.chain.Append(seal.Link{Kind: seal.Cases, To: int64(seq), SHA256: hash})
}

// head returns the head of the chain.
func (s *sealer) head() (links uint64, hash string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.chain.Head()
}

// events adds rows that have come. Those of a server have no numbers, and are left out.
func (s *sealer) events(ctx context.Context) error {
	if s.archive.days == nil {
		return nil
	}
	days, err := s.archive.days.Days()
	if err != nil {
		return err
	}
	for _, date := range days {
		d, err := s.archive.days.Digest(ctx, date, s.rows[date]+1, maxNumber)
		if err != nil {
			return err
		}
		if d == nil || d.Events == 0 {
			continue
		}
		err = s.chain.Append(seal.Link{Kind: seal.Rows, Name: date, From: s.rows[date] + 1, To: d.Last, Size: d.Events, SHA256: hex.EncodeToString(d.SHA256[:])})
		if err != nil {
			return err
		}
		s.rows[date] = d.Last
	}
	return nil
}

// close signs what has come, and closes the chain.
func (s *sealer) close(ctx context.Context) error {
	failed := s.sign(ctx)
	s.stamps.end()
	return errors.Join(failed, s.stamped(), s.chain.Close())
}
