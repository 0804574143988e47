package certs

import (
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// openDirectory opens d at a time; it must work.
func openDirectory(t *testing.T, d Directory, now time.Time) *Authorities {
	t.Helper()
	h, _, err := d.Open(now, nil)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func newDirectory(t *testing.T, ask Passphrase) (Directory, *Authorities) {
	t.Helper()
	d := Directory{Path: filepath.Join(t.TempDir(), "authority"), Passphrase: ask, Encrypt: ask != nil}
	h, created, err := d.Open(testNow, &CreateOptions{CommonName: "Test Inspection"})
	if err != nil || !created {
		t.Fatalf("created %v, %v", created, err)
	}
	return d, h
}

func prints(certs []*x509.Certificate) (list []string) {
	for _, c := range certs {
		list = append(list, (&Authority{chain: []*x509.Certificate{c}}).Fingerprint())
	}
	return list
}

func checkModes(t *testing.T, d Directory) {
	t.Helper()
	err := filepath.WalkDir(d.Path, func(path string, e os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		want := os.FileMode(0o644)
		if e.IsDir() {
			want = 0o700
		} else if strings.HasSuffix(path, ".key") {
			want = 0o600
		}
		if info.Mode().Perm() != want {
			t.Errorf("%s: mode %o, want %o", path, info.Mode().Perm(), want)
		}
		if strings.HasPrefix(e.Name(), ".") {
			t.Errorf("%s was left", path)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestRotation(t *testing.T) {
	cheapScrypt(t)
	for _, row := range []struct {
		name string
		ask  Passphrase
	}{{"in clear", nil}, {"encrypted", words("secret")}} {
		t.Run(row.name, func(t *testing.T) {
			d, first := newDirectory(t, row.ask)
			old := first.Signing.Fingerprint()
			const wait, overlap = 30 * day, 10 * day
			next, err := d.Rotate(CreateOptions{}, testNow.Add(wait), overlap)
			if err != nil {
				t.Fatal(err)
			}
			if next.Certificate().Subject.String() != first.Signing.Certificate().Subject.String() || next.Fingerprint() == old {
				t.Errorf("successor is %v", next)
			}
			if _, err := d.Rotate(CreateOptions{}, testNow, 0); !errors.Is(err, ErrRotating) {
				t.Errorf("second rotation: %v", err)
			}
			both := []string{old, next.Fingerprint()}
			reversed := []string{next.Fingerprint(), old}
			for _, step := range []struct {
				at            time.Duration
				exported, own []string
				changes       time.Duration // 0: none
			}{
				{0, both, both, wait},
				{wait - time.Second, both, both, wait},
				{wait, reversed, reversed, wait + overlap},
				{wait + overlap - time.Second, reversed, reversed, wait + overlap},
				{wait + overlap, reversed[:1], reversed, 0},
			} {
				h := openDirectory(t, d, testNow.Add(step.at))
				if h.Signing.Fingerprint() != step.exported[0] || !slices.Equal(prints(h.Exported), step.exported) || !slices.Equal(prints(h.Own), step.own) {
					t.Errorf("after %v: %v signs, exported %v, own %v", step.at, h.Signing, prints(h.Exported), prints(h.Own))
				}
				if step.changes == 0 != h.Changes.IsZero() || step.changes != 0 && !h.Changes.Equal(testNow.Add(step.changes)) {
					t.Errorf("after %v: changes at %v", step.at, h.Changes)
				}
				l, err := d.List(testNow.Add(step.at))
				if err != nil || Fingerprint(l.Signing) != step.exported[0] || !slices.Equal(prints(l.Exported), step.exported) || (l.Next != nil) != (h.Next != nil) {
					t.Errorf("after %v: listing %+v, %v", step.at, l, err)
				}
				if encrypted, err := Encrypted(d.KeyFile()); encrypted != (row.ask != nil) || err != nil {
					t.Errorf("after %v: encrypted %v, %v", step.at, encrypted, err)
				}
				checkModes(t, d)
			}
		})
	}
}

// TestRotationCutOff continues after a crash behind each step.
func TestRotationCutOff(t *testing.T) {
	d, _ := newDirectory(t, nil)
	next, err := d.Rotate(CreateOptions{}, testNow, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.archiveCurrent(); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(d.file(nextKeyName), d.KeyFile()); err != nil {
		t.Fatal(err)
	}
	if h := openDirectory(t, d, testNow); h.Signing.Fingerprint() != next.Fingerprint() || len(h.Own) != 2 {
		t.Errorf("%v signs, %d own", h.Signing, len(h.Own))
	}
	// A successor without certificate is none.
	if _, err := d.Rotate(CreateOptions{}, testNow, 0); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(d.file(nextCertName)); err != nil {
		t.Fatal(err)
	}
	if h := openDirectory(t, d, testNow); h.Signing.Fingerprint() != next.Fingerprint() || h.Next != nil {
		t.Errorf("%v signs, next %v", h.Signing, h.Next)
	}
	if _, err := d.Rotate(CreateOptions{}, testNow.Add(day), 0); err != nil {
		t.Errorf("rotation after one that was cut off: %v", err)
	}
}

func TestCancelRotation(t *testing.T) {
	d, first := newDirectory(t, nil)
	if err := d.Cancel(); err == nil {
		t.Error("cancelled what is not there")
	}
	next, err := d.Rotate(CreateOptions{}, testNow.Add(day), day)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Cancel(); err != nil {
		t.Fatal(err)
	}
	h := openDirectory(t, d, testNow.Add(2*day))
	if h.Signing.Fingerprint() != first.Signing.Fingerprint() || h.Next != nil || len(h.Exported) != 1 {
		t.Errorf("held %+v", h)
	}
	if !slices.Contains(prints(h.Own), next.Fingerprint()) {
		t.Error("the successor that was cancelled is forgotten")
	}
	if keys, _ := d.KeyFiles(); len(keys) != 1 {
		t.Errorf("keys left: %v", keys)
	}
}

func TestImport(t *testing.T) {
	cheapScrypt(t)
	p := newPKI(t)
	in := files(t, map[string][]byte{"ca.pem": join(keyPEM(t, "PRIVATE KEY", p.inter.key), certPEM(p.inter, p.root)),
		"own.pem": join(keyPEM(t, "PRIVATE KEY", p.own.key), certPEM(p.own))})
	bundle := func(name string) *Bundle {
		b, err := ReadBundle(in(name), nil)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	d := Directory{Path: filepath.Join(t.TempDir(), "state", "authority")}
	if err := d.Import(bundle("ca.pem"), false, testNow); err != nil {
		t.Fatal(err)
	}
	checkModes(t, d)
	h := openDirectory(t, d, testNow)
	if !h.Signing.Certificate().Equal(p.inter.cert) || len(h.Signing.tail) != 1 || len(h.Own) != 1 {
		t.Errorf("held %+v", h)
	}
	if err := d.Import(bundle("own.pem"), false, testNow); !errors.Is(err, ErrExists) {
		t.Errorf("overwrites: %v", err)
	}
	if err := d.Import(bundle("own.pem"), true, testNow); err != nil {
		t.Fatal(err)
	}
	h = openDirectory(t, d, testNow)
	if !h.Signing.Certificate().Equal(p.own.cert) || len(h.Own) != 2 || !h.Own[1].Equal(p.inter.cert) || len(h.Exported) != 1 {
		t.Errorf("held %+v", h)
	}
	kept, err := filepath.Glob(d.file("old/*"))
	if err != nil || len(kept) != 2 {
		t.Errorf("kept %v, %v", kept, err)
	}
	checkModes(t, d)
	if _, err := LoadEncrypted(kept[0], kept[1], nil); err != nil {
		t.Errorf("what was kept: %v", err)
	}

	t.Run("encrypt all", func(t *testing.T) {
		changed, err := d.EncryptKeys(words("secret"))
		if err != nil || len(changed) != 2 {
			t.Errorf("changed %v, %v", changed, err)
		}
		if _, err := d.EncryptKeys(words("other")); !errors.Is(err, ErrPassphrase) {
			t.Errorf("another passphrase: %v", err)
		}
		if changed, err := d.EncryptKeys(words("secret")); err != nil || len(changed) != 0 {
			t.Errorf("again: changed %v, %v", changed, err)
		}
		checkModes(t, d)
	})
}
