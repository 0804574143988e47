package recorder

import (
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"filippo.io/age"

	"github.com/clearspan/clearspan/appliance/recorder/agefile"
	"github.com/clearspan/clearspan/appliance/recorder/analyst"
	"github.com/clearspan/clearspan/appliance/recorder/content"
	"github.com/clearspan/clearspan/appliance/recorder/retain"
	"github.com/clearspan/clearspan/appliance/recorder/trail"
	"github.com/clearspan/clearspan/appliance/recorder/trail/sqlite"
)

// Archive is what a recorder keeps in a directory: trail and contents.
type Archive struct {
	Trail   trail.Store   // nil: nothing is kept
	days    *sqlite.Store // the trail, if its rows have numbers by which they are sealed
	content *content.Store

	identities []age.Identity
	roots      *x509.CertPool // of authorities of time stamps; nil: none were given
	list       *objectList    // of what is encrypted; nil: it is only read
	index      *retain.Index  // of objects; nil: it is only read
	documents  *textReader    // reads text; nil: in this process
	lent       bool           // another one closes documents
}

const (
	contentDir = "content"
	indexName  = "retain.db"
)

// OpenArchive opens the archive that a recorder has made. where is that of [Config].Trail.
func OpenArchive(dir, where string) (*Archive, error) {
	made := trailDir
	if where != "" {
		made = contentDir
	}
	if _, err := os.Stat(filepath.Join(dir, made)); err != nil {
		return nil, fmt.Errorf("%s is no directory of a recorder: %w", dir, err)
	}
	t, err := openTrail(dir, where)
	if err != nil {
		return nil, err
	}
	return archiveOf(t, content.At(filepath.Join(dir, contentDir))), nil
}

// openArchive opens an archive for writing, or a temporary one that has no trail.
func openArchive(dir, where string, o content.Options) (*Archive, error) {
	if dir == "" {
		c, err := content.Open("", o)
		return &Archive{content: c}, err
	}
	list, err := newObjectList(filepath.Join(dir, sealDir, listDir))
	if err != nil {
		return nil, err
	}
	o.Sealed = list.note
	c, err := content.Open(filepath.Join(dir, contentDir), o)
	if err != nil {
		return nil, err
	}
	t, err := openTrail(dir, where)
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	a := archiveOf(t, c)
	a.list = list
	if a.index, err = retain.Open(filepath.Join(dir, indexName)); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return a, nil
}

func archiveOf(t trail.Store, c *content.Store) *Archive {
	days, _ := t.(*sqlite.Store)
	return &Archive{Trail: t, days: days, content: c}
}

// writer returns what keeps rows, unless a disk is too full; nil: nothing is kept.
func (a *Archive) writer(level *diskLevel) analyst.Output {
	if a.Trail == nil {
		return nil
	}
	k := keeping{a, level}
	if a.list == nil {
		return k
	}
	return listed{k, a.list}
}

// Unlock has the archive read what is encrypted, with the identities in a file of age-keygen;
// "": none.
func (a *Archive) Unlock(file string) (err error) {
	if file != "" {
		a.identities, err = agefile.Identities(file)
		a.content.Identify(a.identities)
	}
	return err
}

// TrustStamps has [Archive.Verify] take time stamps only from the authorities in a PEM file; "":
// from any.
func (a *Archive) TrustStamps(file string) error {
	if file == "" {
		return nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	a.roots = x509.NewCertPool()
	if !a.roots.AppendCertsFromPEM(text) {
		return fmt.Errorf("%s has no certificate", file)
	}
	return nil
}

// Content returns the octets that are kept.
func (a *Archive) Content() *content.Store { return a.content }

// ErrNotKept says that an object has rows, but no octets.
var ErrNotKept = errors.New("its octets are not kept")

// Extract writes the octets of an object into a file, which must not be there.
func (a *Archive) Extract(h trail.Hash, file string) error {
	r, err := a.content.Open(h)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: %w", h, ErrNotKept)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", h, err)
	}
	defer r.Close()
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	sum := sha256.New()
	_, err = io.Copy(io.MultiWriter(f, sum), r)
	if err = errors.Join(err, f.Close()); err == nil && trail.Hash(sum.Sum(nil)) != h {
		err = fmt.Errorf("the octets of %s are damaged", h)
	}
	return err
}

// WriteSession writes a session for people.
func WriteSession(w io.Writer, s *trail.Session) {
	line := func(name string, value any) {
		if v := fmt.Sprint(value); v != "" && v != "0" {
			fmt.Fprintf(w, "%-10s %s\n", name, shown(v))
		}
	}
	line("session", s.ID)
	line("start", s.Start.Local().Format(time.DateTime))
	line("end", s.End.Local().Format(time.DateTime))
	line("client", s.Client)
	line("server", s.Server)
	line("transport", s.Transport)
	line("protocol", s.Protocol)
	line("vlan", s.VLAN)
	line("tunnel", s.Tunnel)
	line("sent", s.Up)
	line("received", s.Down)
	line("lost", s.GapUp+s.GapDown)
	line("packets", s.Packets)
	line("read to", s.Stop)
	line("sni", s.SNI)
	line("alpn", s.ALPN)
	line("ja4", s.JA4)
	line("rule", s.Rule)
	line("audit", s.Audit)
	line("user", s.User)
	line("source", s.Source)
}

// Close closes the archive.
func (a *Archive) Close() error {
	var failed error
	if a.Trail != nil {
		failed = a.Trail.Close()
	}
	if a.index != nil {
		failed = errors.Join(failed, a.index.Close())
	}
	if !a.lent {
		failed = errors.Join(failed, a.documents.Close())
	}
	return errors.Join(failed, a.content.Close())
}
