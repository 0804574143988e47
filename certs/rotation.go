package certs

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// ErrExists is matched by errors about an authority that would be overwritten.
var ErrExists = errors.New("there is an authority already")

// ErrRotating is matched by errors about a rotation that is under way.
var ErrRotating = errors.New("a rotation is under way")

// Import puts b in the place of the authority that signs. One that is there
// already matches ErrExists, or moves to old/ if force is set. The key is
// encrypted if d says so, or the one that it replaces is.
func (d Directory) Import(b *Bundle, force bool, now time.Time) error {
	if err := makeDirectory(d.Path); err != nil {
		return fmt.Errorf("create authority directory: %w", err)
	}
	unlock, err := d.lock()
	if err != nil {
		return err
	}
	defer unlock()
	found, err := bothExist(d.CertFile(), d.KeyFile())
	if err != nil {
		return err
	}
	if pending, err := d.successorExists(); err != nil {
		return err
	} else if pending {
		return fmt.Errorf("import authority: %w: cancel it first", ErrRotating)
	}
	if found && !force {
		return fmt.Errorf("import authority: %s: %w", d.CertFile(), ErrExists)
	}
	if err := d.writeNext(b.Authority, b.key, rotation{SignsFrom: now, OverlapUntil: now}, !found); err != nil {
		return fmt.Errorf("import authority: %w", err)
	}
	return d.promote()
}

// Rotate makes a successor that signs from the time from on; until overlap has
// passed after that, both certificates are exported. If the key that signs is
// encrypted, so is the new one.
func (d Directory) Rotate(opts CreateOptions, from time.Time, overlap time.Duration) (*Authority, error) {
	unlock, err := d.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	if pending, err := d.successorExists(); err != nil {
		return nil, err
	} else if pending {
		return nil, fmt.Errorf("rotate authority: %w", ErrRotating)
	}
	current, err := LoadEncrypted(d.CertFile(), d.KeyFile(), d.Passphrase)
	if err != nil {
		return nil, err
	}
	if opts.CommonName == "" {
		opts.CommonName = current.Certificate().Subject.CommonName
	}
	next, key, err := generate(opts)
	if err != nil {
		return nil, err
	}
	r := rotation{SignsFrom: from, OverlapUntil: from.Add(overlap)}
	if err := d.writeNext(next, key, r, false); err != nil {
		return nil, fmt.Errorf("rotate authority: %w", err)
	}
	return next, nil
}

// Cancel drops the successor of a rotation that has not come into force. Its
// certificate goes to old/, for clients may trust it already; its key is removed.
func (d Directory) Cancel() error {
	unlock, err := d.lock()
	if err != nil {
		return err
	}
	defer unlock()
	if pending, err := d.successorExists(); err != nil {
		return err
	} else if !pending {
		return errors.New("cancel rotation: none is under way")
	}
	if data, err := readFile(d.file(nextCertName), maxAuthorityFile, false); err == nil {
		if err := d.archive(data, nil); err != nil {
			return fmt.Errorf("cancel rotation: %w", err)
		}
	}
	for _, name := range []string{nextKeyName, nextCertName, rotationName} {
		if err := os.Remove(d.file(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("cancel rotation: %w", err)
		}
	}
	return nil
}

// writeNext writes the files of a successor. The certificate comes last: without
// it there is none. first says that there
// is no predecessor. The directory is locked.
func (d Directory) writeNext(a *Authority, key []byte, r rotation, first bool) error {
	if !first {
		current, err := readFile(d.CertFile(), maxAuthorityFile, false)
		if err != nil {
			return err
		}
		if r.Previous, err = fingerprintOf(current); err != nil {
			return fmt.Errorf("%s: %v", d.CertFile(), err)
		}
	}
	ask := d.Passphrase
	if !d.Encrypt {
		encrypted := false
		if !first {
			var err error
			if encrypted, err = Encrypted(d.KeyFile()); err != nil {
				return err
			}
		}
		if !encrypted {
			ask = nil
		}
	}
	sealedKey, err := encryptFile(key, ask)
	if err != nil {
		return fmt.Errorf("encrypt key: %w", err)
	}
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if err := writeFile(d.file(rotationName), append(text, '\n'), 0o644); err != nil {
		return err
	}
	if err := writeFile(d.file(nextKeyName), sealedKey, 0o600); err != nil {
		return err
	}
	return writeFile(d.file(nextCertName), a.PEM(), 0o644)
}

// completeRotation carries out a rotation whose time has come. It refuses a directory that
// other users may write to.
func (d Directory) completeRotation(now time.Time) error {
	if err := CheckDirectory(d.Path); err != nil {
		return err
	}
	r, err := d.readRotation()
	if err != nil || r == nil || now.Before(r.SignsFrom) {
		return err
	}
	if pending, err := d.successorExists(); err != nil || !pending {
		return err
	}
	unlock, err := d.lock()
	if err != nil {
		return err
	}
	defer unlock()
	return d.promote()
}

// promote puts the successor into the place of the authority that signs. Every
// step may be the last one before a crash, and is then passed over or repeated
// by the next call. The directory is locked.
func (d Directory) promote() error {
	if pending, err := d.successorExists(); err != nil || !pending { // another process was faster
		return err
	}
	if _, err := os.Lstat(d.file(nextKeyName)); err == nil {
		if err := d.archiveCurrent(); err != nil {
			return fmt.Errorf("keep earlier authority: %w", err)
		}
		if err := os.Rename(d.file(nextKeyName), d.KeyFile()); err != nil {
			return fmt.Errorf("put key of the new authority in place: %w", err)
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("find key of the new authority: %w", err)
	}
	if err := os.Rename(d.file(nextCertName), d.CertFile()); err != nil {
		return fmt.Errorf("put new authority in place: %w", err)
	}
	return syncDirectory(d.Path)
}

// archiveCurrent copies the authority that signs to old/.
func (d Directory) archiveCurrent() error {
	cert, err := readFile(d.CertFile(), maxAuthorityFile, false)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	key, err := readFile(d.KeyFile(), maxAuthorityFile, true)
	if err != nil {
		return err
	}
	return d.archive(cert, key)
}

// archive writes an authority to old/; key may be nil.
func (d Directory) archive(cert, key []byte) error {
	name, err := fingerprintOf(cert)
	if err != nil {
		return err
	}
	if err := makeDirectory(d.file(oldName)); err != nil {
		return err
	}
	name = filepath.Join(d.file(oldName), name)
	if key != nil {
		if err := writeFile(name+".key", key, 0o600); err != nil {
			return err
		}
	}
	return writeFile(name+".crt", cert, 0o644)
}

// fingerprintOf returns the SHA-256 of the first certificate in PEM form, in
// lower case without colons.
func fingerprintOf(data []byte) (string, error) {
	certs, err := parseCertificates(data)
	if err != nil {
		return "", err
	}
	return strings.ToLower(strings.ReplaceAll((&Authority{chain: certs}).Fingerprint(), ":", "")), nil
}
