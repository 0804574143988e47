package recorder

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/clearspan/clearspan/appliance/recorder/retain"
	"github.com/clearspan/clearspan/appliance/recorder/seal"
	"github.com/clearspan/clearspan/appliance/recorder/volume"
)

// What is removed is in the chain before it goes.

// removed notes a volume.
func (s *sealer) removed(v volume.Summary) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.chain.Append(seal.Link{Kind: seal.Removed, Name: v.Name(), From: int64(v.Number), Size: v.Size, SHA256: v.SHA256})
}

// removedDay notes a day of the trail.
func (s *sealer) removedDay(date string, size int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.chain.Append(seal.Link{Kind: seal.Removed, Name: date, To: s.rows[date], Size: size})
	if err == nil {
		delete(s.rows, date)
	}
	return err
}

// Lists of objects that were removed lie beside the chain: a hash a line.
const (
	gonePrefix = "removed-"
	goneSuffix = ".txt"
)

// goneNumber returns the number of a list by its name; 0: it is none.
func goneNumber(name string) int {
	digits, ok := strings.CutPrefix(name, gonePrefix)
	if !ok {
		return 0
	}
	n, err := strconv.Atoi(strings.TrimSuffix(digits, goneSuffix))
	if err != nil {
		return 0
	}
	return n
}

// removedObjects notes objects: the link has the hash of their list.
func (s *sealer) removedObjects(list []retain.Object) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var b strings.Builder
	size := int64(0)
	for _, o := range list {
		fmt.Fprintln(&b, o.Hash)
		size += o.Size
	}
	name := fmt.Sprintf("%s%08d%s", gonePrefix, s.gone+1, goneSuffix)
	if err := os.WriteFile(filepath.Join(s.dir, sealDir, name), []byte(b.String()), 0o600); err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(b.String()))
	err := s.chain.Append(seal.Link{Kind: seal.Removed, Name: name, To: int64(len(list)), Size: size, SHA256: hex.EncodeToString(sum[:])})
	if err == nil {
		s.gone++
	}
	return err
}

// level notes that the disk stops something, or does so no more.
func (s *sealer) level(stopped bool, what string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	kind := seal.Resumed
	if stopped {
		kind = seal.Stopped
	}
	return s.chain.Append(seal.Link{Kind: kind, Name: what})
}
