package certs

import (
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Directory is where an installation keeps the authority that clients trust:
//
//	ca.crt ca.key       the one that signs
//	next.crt next.key   during a rotation, its successor
//	rotation.json       when the successor signs, and how long both are exported
//	old/                what was replaced, by fingerprint
//
// Keys have mode 0600, the directory 0700. Changes are made under a lock on the
// directory, in steps of which each leaves it readable or is taken up by the
// next [Directory.Open].
type Directory struct {
	Path       string
	Passphrase Passphrase // opens encrypted keys; nil refuses them
	// Encrypt has new keys encrypted in any case, not only where the one that
	// signs is.
	Encrypt bool
}

// Authorities is what a [Directory] holds.
type Authorities struct {
	Signing *Authority
	Next    *Authority // the successor during a rotation, else nil
	From    time.Time  // when Next signs
	// Exported are the certificates that clients need: that of Signing first,
	// then, while a rotation overlaps, that of the other authority.
	Exported []*x509.Certificate
	// Own are all certificates of authorities that are or were of this
	// directory. An origin must not hold one of theirs.
	Own []*x509.Certificate
	// Changes is when to open the directory again; zero: no change is planned.
	Changes time.Time
}

// rotation is the content of rotation.json.
type rotation struct {
	SignsFrom    time.Time `json:"signs_from"`
	OverlapUntil time.Time `json:"overlap_until"`
	Previous     string    `json:"previous"` // fingerprint, as in the names below old/
}

const (
	certName, keyName         = "ca.crt", "ca.key"
	nextCertName, nextKeyName = "next.crt", "next.key"
	rotationName              = "rotation.json"
	oldName                   = "old"
	maxOld                    = 100 // certificates below old/
)

func (d Directory) file(name string) string { return filepath.Join(d.Path, name) }

// CertFile and KeyFile name the files of the authority that signs.
func (d Directory) CertFile() string { return d.file(certName) }

// KeyFile names the file of the key that signs.
func (d Directory) KeyFile() string { return d.file(keyName) }

// NextCertFile and NextKeyFile name those of the successor during a rotation.
func (d Directory) NextCertFile() string { return d.file(nextCertName) }

// NextKeyFile names the file of the successor's key.
func (d Directory) NextKeyFile() string { return d.file(nextKeyName) }

// Open loads what the directory holds at now, and creates an authority if there
// is none and create is set. A rotation whose time has come is carried out.
func (d Directory) Open(now time.Time, create *CreateOptions) (h *Authorities, created bool, err error) {
	if err := d.completeRotation(now); err != nil {
		return nil, false, err
	}
	var a *Authority
	if create != nil {
		opts := *create
		if found, err := bothExist(d.CertFile(), d.KeyFile()); d.Encrypt || found && err == nil {
			opts.Passphrase = d.Passphrase
		}
		a, created, err = LoadOrCreate(d.CertFile(), d.KeyFile(), opts)
	} else {
		a, err = LoadEncrypted(d.CertFile(), d.KeyFile(), d.Passphrase)
	}
	if err != nil {
		return nil, false, err
	}
	h = &Authorities{Signing: a, Exported: []*x509.Certificate{a.Certificate()}, Own: []*x509.Certificate{a.Certificate()}}
	if err := d.openOthers(h, now); err != nil {
		return nil, false, err
	}
	return h, created, nil
}

// openOthers adds successor and predecessors.
func (d Directory) openOthers(h *Authorities, now time.Time) error {
	old, err := d.readOld()
	if err != nil {
		return err
	}
	for _, cert := range old {
		h.Own = append(h.Own, cert)
	}
	r, err := d.readRotation()
	if err != nil || r == nil {
		return err
	}
	pending, err := d.successorExists()
	if err != nil {
		return err
	}
	if pending {
		h.Next, err = LoadEncrypted(d.file(nextCertName), d.file(nextKeyName), d.Passphrase)
		if err != nil {
			return fmt.Errorf("successor of the authority: %w", err)
		}
		h.From, h.Changes = r.SignsFrom, r.SignsFrom
		h.Own = append(h.Own, h.Next.Certificate())
		h.Exported = append(h.Exported, h.Next.Certificate())
	} else if cert := old[r.Previous]; cert != nil && now.Before(r.OverlapUntil) {
		h.Exported = append(h.Exported, cert)
		h.Changes = r.OverlapUntil
	}
	return nil
}

// successorExists reports whether a successor waits. A key without a certificate is an
// attempt that was cut off, and is none.
func (d Directory) successorExists() (bool, error) {
	_, err := os.Lstat(d.file(nextCertName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, fmt.Errorf("find successor of the authority: %w", err)
	}
	return err == nil, nil
}

// readRotation returns nil if there is none.
func (d Directory) readRotation() (*rotation, error) {
	data, err := readFile(d.file(rotationName), maxAuthorityFile, false)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read rotation: %w", err)
	}
	r := new(rotation)
	if err := json.Unmarshal(data, r); err != nil || r.SignsFrom.IsZero() {
		return nil, fmt.Errorf("read rotation: %s is damaged", d.file(rotationName))
	}
	return r, nil
}

// readOld returns the certificates below old/ by their fingerprints.
func (d Directory) readOld() (map[string]*x509.Certificate, error) {
	entries, err := os.ReadDir(d.file(oldName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list earlier authorities: %w", err)
	}
	old := make(map[string]*x509.Certificate)
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".crt")
		if !ok {
			continue
		}
		if len(old) == maxOld {
			return nil, fmt.Errorf("more than %d earlier authorities in %s: remove those that have expired", maxOld, d.file(oldName))
		}
		data, err := readFile(d.file(filepath.Join(oldName, e.Name())), maxAuthorityFile, false)
		if err != nil {
			return nil, fmt.Errorf("read earlier authority: %w", err)
		}
		certs, err := parseCertificates(data)
		if err != nil {
			return nil, fmt.Errorf("read earlier authority: %s: %v", e.Name(), err)
		}
		old[name] = certs[0]
	}
	return old, nil
}

// KeyFiles lists all key files there are, those below old/ included.
func (d Directory) KeyFiles() ([]string, error) {
	files, err := filepath.Glob(d.file(filepath.Join(oldName, "*.key")))
	if err != nil {
		return nil, err
	}
	for _, name := range []string{nextKeyName, keyName} {
		if _, err := os.Lstat(d.file(name)); err == nil {
			files = append([]string{d.file(name)}, files...)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return files, nil
}

// EncryptKeys encrypts every key with one passphrase and returns the files it
// changed. Keys that are encrypted already keep their passphrase; they must open
// with the same one, or a later start could not read them all.
func (d Directory) EncryptKeys(ask Passphrase) (changed []string, err error) {
	unlock, err := d.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	if ask == nil {
		return nil, fmt.Errorf("encrypt authority keys: %w", ErrPassphrase)
	}
	files, err := d.KeyFiles()
	if err != nil {
		return nil, fmt.Errorf("encrypt authority keys: %w", err)
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("encrypt authority keys: none in %s", d.Path)
	}
	for _, file := range files {
		done, err := EncryptKey(file, ask)
		if err != nil {
			return changed, err
		}
		if done {
			changed = append(changed, file)
		} else if _, err := openKey(file, ask); err != nil {
			return changed, fmt.Errorf("encrypt authority keys: %w", err)
		}
	}
	return changed, nil
}

func (d Directory) lock() (unlock func(), err error) {
	unlock, err = lockDirectory(d.Path)
	if err != nil {
		return nil, fmt.Errorf("lock authority directory: %w", err)
	}
	return unlock, nil
}
