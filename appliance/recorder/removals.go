package recorder

import (
	"bufio"
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/clearspan/clearspan/appliance/recorder/retain"
	"github.com/clearspan/clearspan/appliance/recorder/seal"
	"github.com/clearspan/clearspan/appliance/recorder/trail"
)

// removals are what a chain says of what went by retention.
type removals struct {
	days    map[string]uint64 // by date, the last link that says so
	gone    map[uint64]string // volumes, with their hashes
	objects map[trail.Hash]bool
	index   *retain.Index // of the objects that are there; nil: there is none
	faults  []string
}

// readRemovals reads a chain, and the lists of objects beside it.
func readRemovals(dir string, key ed25519.PublicKey) (r removals, err error) {
	r = removals{days: make(map[string]uint64), gone: make(map[uint64]string), objects: make(map[trail.Hash]bool)}
	_, err = seal.Verify(dir, key, func(l seal.Link) {
		if l.Kind != seal.Removed {
			return
		}
		if goneNumber(l.Name) > 0 {
			if fault := r.read(dir, l); fault != "" && len(r.faults) < maxFaults {
				r.faults = append(r.faults, fault)
			}
			return
		}
		if _, err := time.Parse(trail.DayLayout, l.Name); err == nil {
			r.days[l.Name] = l.Seq
			return
		}
		r.gone[uint64(l.From)] = l.SHA256
	})
	return r, err
}

// read reads a list of objects.
func (r *removals) read(dir string, l seal.Link) (fault string) {
	name := filepath.Base(l.Name)
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return fmt.Sprintf("list of removed objects: %s is missing", name)
	}
	if sum := sha256.Sum256(text); hex.EncodeToString(sum[:]) != l.SHA256 {
		return fmt.Sprintf("list of removed objects: %s was changed", name)
	}
	for s := bufio.NewScanner(bytes.NewReader(text)); s.Scan(); {
		if h, err := trail.ParseHash(s.Text()); err == nil {
			r.objects[h] = true
		}
	}
	return ""
}

// forget counts what was removed.
func (v *verification) forget(l seal.Link) {
	switch {
	case goneNumber(l.Name) > 0:
		v.Gone += int(l.To)
	case v.went.days[l.Name] > 0:
		v.Days++
		delete(v.rows, l.Name) // rows that came later have numbers from 1 again
	default:
		delete(v.volumes, uint64(l.From))
		v.Removed++
	}
}

// missing tells whether an object whose octets are not there may be gone.
func (v *verification) missing(h trail.Hash) error {
	if v.went.objects[h] {
		if v.went.index == nil {
			return nil
		}
		again, err := v.went.index.Knows(v.ctx, h)
		if !again || err != nil {
			v.Objects--
			return err
		}
	}
	v.fault("content: %s is missing", h)
	return nil
}

// openIndex opens the index of objects, if it is needed.
func (v *verification) openIndex() (err error) {
	file := filepath.Join(v.dir, indexName)
	if _, missing := os.Stat(file); missing != nil || len(v.went.objects) == 0 {
		return nil
	}
	v.went.index, err = retain.Open(file)
	return err
}

func (v *verification) closeIndex() {
	if v.went.index != nil {
		v.went.index.Close()
	}
}
