package recorder

import (
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/clearspan/clearspan/appliance/recorder/content"
	"github.com/clearspan/clearspan/appliance/recorder/seal"
	"github.com/clearspan/clearspan/appliance/recorder/trail"
	"github.com/clearspan/clearspan/appliance/recorder/volume"
)

// Verified is what a verification found.
type Verified struct {
	Links    uint64    `json:"links"`
	Signed   uint64    `json:"signed"` // links that a signature covers
	Stamps   int       `json:"timestamps"`
	Stamped  uint64    `json:"timestamped"`    // links that a time stamp covers
	Stamp    time.Time `json:"timestamped_at"` // of the last of them
	AnyStamp bool      `json:"any_authority"`  // no authority was given: time stamps prove little
	SignedAt time.Time `json:"signed_at"`
	Head     string    `json:"head"`
	OwnKey   bool      `json:"own_key"` // the key lay beside the chain: it proves little
	Volumes  int       `json:"volumes"`
	Events   int64     `json:"events"`
	Objects  int       `json:"objects"`
	Locked   int       `json:"locked"`  // objects that are encrypted: only their files were compared
	Removed  int       `json:"removed"` // volumes that went by retention
	Days     int       `json:"removed_days"`
	Gone     int       `json:"removed_objects"`
	Cases    int       `json:"cases"`
	Dropped  uint64    `json:"dropped"` // frames that could not be stored
	Unsealed int64     `json:"unsealed_events"`
	Faults   []string  `json:"faults"`
}

// maxFaults bounds the faults that are listed.
const maxFaults = 1000

// verification is one under way.
type verification struct {
	Verified
	ctx      context.Context
	dir      string
	archive  *Archive
	volumes  map[uint64]seal.Link
	rows     map[string]int64
	files    map[trail.Hash]string // of objects that are encrypted: the SHA-256 of their files
	roots    *x509.CertPool        // of authorities of time stamps; nil: none were given
	access   int64                 // octets of the log of accesses that are in links
	list     int64                 // the last one that is in a link
	went     removals
	anchors  map[uint64]string // lines of the chain of cases, with their hashes
	key      ed25519.PublicKey
	progress func(what string)
}

// Verify compares the directory of a recorder with its chain of evidence. With a nil key, the
// one beside the chain is taken. The directory is only read. where is that of [Config].Trail.
func Verify(ctx context.Context, dir, where string, key ed25519.PublicKey, progress func(string)) (*Verified, error) {
	a, err := OpenArchive(dir, where)
	if err != nil {
		return nil, err
	}
	defer a.Close()
	return a.Verify(ctx, dir, key, progress)
}

// Verify is [Verify] of an archive in a directory. What is encrypted is compared as it is, and
// also what is in it, if it can be opened, see [Archive.Unlock].
func (a *Archive) Verify(ctx context.Context, dir string, key ed25519.PublicKey, progress func(string)) (*Verified, error) {
	var err error
	v := &verification{Verified: Verified{AnyStamp: a.roots == nil}, roots: a.roots, ctx: ctx, dir: dir, archive: a, volumes: make(map[uint64]seal.Link), rows: make(map[string]int64), files: make(map[trail.Hash]string), progress: progress}
	if key == nil {
		v.OwnKey = true
		if key, err = seal.PublicKey(seal.OwnKey(filepath.Join(dir, sealDir))); err != nil {
			return nil, err
		}
	}
	v.key, v.anchors = key, make(map[uint64]string)
	if v.went, err = readRemovals(filepath.Join(dir, sealDir), key); err != nil {
		return nil, err
	}
	v.Faults = v.went.faults
	var failed error
	r, err := seal.Verify(filepath.Join(dir, sealDir), key, func(l seal.Link) {
		if failed == nil {
			failed = v.link(l)
		}
	})
	if err = errors.Join(err, failed); err != nil {
		return nil, err
	}
	v.Links, v.Signed, v.SignedAt, v.Head = r.Links, r.Signed, r.SignedAt, r.Head
	v.Faults = append(r.Faults, v.Faults...)
	if err := v.openIndex(); err != nil {
		return nil, err
	}
	defer v.closeIndex()
	for _, f := range []func() error{v.packets, v.unsealed, v.lastList, v.contents, v.cases} {
		if err := f(); err != nil {
			return nil, err
		}
	}
	return &v.Verified, nil
}

func (v *verification) fault(format string, args ...any) {
	if len(v.Faults) < maxFaults {
		v.Faults = append(v.Faults, fmt.Sprintf(format, args...))
	}
}

func (v *verification) say(what string) {
	if v.progress != nil {
		v.progress(what)
	}
}

// link looks at what a link is about.
func (v *verification) link(l seal.Link) error {
	v.Dropped += l.Dropped
	switch l.Kind {
	case seal.Volume:
		v.volumes[uint64(l.From)] = l
	case seal.Removed:
		v.forget(l)
	case seal.Access:
		v.accessLog(l)
	case seal.Cases:
		v.anchors[uint64(l.To)] = l.SHA256
	case seal.Timestamp:
		v.timestamp(l)
	case seal.Objects:
		return v.objectList(l)
	case seal.Rows:
		v.say("events of " + l.Name)
		if l.From != v.rows[l.Name]+1 {
			v.fault("events of %s: link %d begins at event %d, event %d was the last one", l.Name, l.Seq, l.From, v.rows[l.Name])
		}
		v.rows[l.Name] = l.To
		if l.Seq < v.went.days[l.Name] {
			return nil // they went later
		}
		if v.archive.days == nil {
			v.fault("events of %s: %d were sealed, but the trail is in a server", l.Name, l.Size)
			return nil
		}
		d, err := v.archive.days.Digest(v.ctx, l.Name, l.From, l.To)
		if err != nil {
			if v.ctx.Err() != nil {
				return err
			}
			v.fault("events of %s cannot be read: %v", l.Name, err)
			return nil
		}
		switch {
		case d == nil:
			v.fault("events of %s are missing: %d of them", l.Name, l.Size)
		case d.Events != l.Size:
			v.fault("events of %s: there are %d from number %d to %d, %d were sealed", l.Name, d.Events, l.From, l.To, l.Size)
		case hex.EncodeToString(d.SHA256[:]) != l.SHA256:
			v.fault("events of %s: those from number %d to %d were changed", l.Name, l.From, l.To)
		default:
			v.Events += d.Events
		}
	}
	return nil
}

// packets compares volumes with their links.
func (v *verification) packets() error {
	dir := filepath.Join(v.dir, volumeDir)
	list, err := volume.List(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		v.fault("packets: %v", err)
	}
	for _, one := range list {
		file := volume.File(dir, one.Number)
		l, sealed := v.volumes[one.Number]
		if gone, is := v.went.gone[one.Number]; !sealed && is && gone == one.SHA256 {
			continue // it is about to be removed
		}
		if !sealed {
			v.fault("packets: %s is in no link: it was added, or its recorder died", filepath.Base(file))
			continue
		}
		delete(v.volumes, one.Number)
		v.say(filepath.Base(file))
		sum, size, err := v.hash(func() (io.ReadCloser, error) { return os.Open(file) })
		switch {
		case v.ctx.Err() != nil:
			return v.ctx.Err()
		case err != nil:
			v.fault("packets: %v", err)
		case size != l.Size || sum != l.SHA256:
			v.fault("packets: %s was changed", filepath.Base(file))
		case volume.CheckIndex(dir, &one) != nil:
			v.fault("packets: the index of %s was changed", filepath.Base(file))
		default:
			v.Volumes++
		}
	}
	for _, l := range v.volumes {
		v.fault("packets: %s is missing", l.Name)
	}
	return nil
}

// unsealed counts events that came behind the last link.
func (v *verification) unsealed() error {
	if v.archive.days == nil {
		return nil
	}
	days, err := v.archive.days.Days()
	if err != nil {
		return err
	}
	for _, date := range days {
		d, err := v.archive.days.Digest(v.ctx, date, v.rows[date]+1, maxNumber)
		if err != nil {
			if v.ctx.Err() != nil {
				return err
			}
			continue // told already, or it has none
		}
		if d != nil {
			v.Unsealed += d.Events
		}
	}
	return nil
}

// contents compares the octets of objects with their names.
func (v *verification) contents() error {
	return v.archive.Trail.Objects(v.ctx, func(h [32]byte, size uint64) error {
		if err := v.ctx.Err(); err != nil {
			return err
		}
		v.Objects++
		name := trail.Hash(h).String()
		if v.Objects%100 == 0 {
			v.say("content " + name[:8])
		}
		if err := v.sealedFile(h); err != nil {
			return err
		}
		sum, got, err := v.hash(func() (io.ReadCloser, error) { return v.archive.content.Open(h) })
		switch {
		case errors.Is(err, content.ErrLocked):
			v.Locked++
		case errors.Is(err, fs.ErrNotExist):
			return v.missing(h)
		case err != nil && v.ctx.Err() == nil:
			v.fault("content: %s cannot be read: %v", name, err)
		case err == nil && (sum != name || uint64(got) != size):
			v.fault("content: %s was changed", name)
		}
		return v.ctx.Err()
	})
}
