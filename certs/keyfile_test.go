package certs

import (
	"bytes"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// cheapScrypt makes encryption fast for a test.
func cheapScrypt(t testing.TB) {
	old := workFactor
	workFactor = 4
	t.Cleanup(func() { workFactor = old })
}

func words(s string) Passphrase { return func() (string, error) { return s, nil } }

func TestEncryptKey(t *testing.T) {
	cheapScrypt(t)
	s := newStore(t)
	a, _, err := LoadOrCreate(s.cert, s.key, CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	clear, err := os.ReadFile(s.key)
	if err != nil {
		t.Fatal(err)
	}
	before, err := os.Open(s.key) // the file in clear, which loses its name
	if err != nil {
		t.Fatal(err)
	}
	defer before.Close()
	if done, err := EncryptKey(s.key, words("correct horse")); !done || err != nil {
		t.Fatalf("done %v, %v", done, err)
	}
	after, err := os.ReadFile(s.key)
	if err != nil || bytes.Contains(after, []byte("PRIVATE KEY")) || !strings.HasPrefix(string(after), "-----BEGIN AGE ENCRYPTED FILE-----") {
		t.Errorf("key file %.60q, %v", after, err)
	}
	left := make([]byte, len(clear))
	if n, _ := before.ReadAt(left, 0); n == 0 || len(bytes.Trim(left[:n], "\x00")) > 0 {
		t.Errorf("octets of the file in clear were not overwritten: %.40q", left)
	}
	if info, err := os.Stat(s.key); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if entries, _ := os.ReadDir(s.dir); len(entries) != 2 {
		t.Errorf("%d files left, want 2", len(entries))
	}
	if encrypted, err := Encrypted(s.key); !encrypted || err != nil {
		t.Errorf("encrypted %v, %v", encrypted, err)
	}
	again, err := LoadEncrypted(s.cert, s.key, words("correct horse"))
	if err != nil || again.Fingerprint() != a.Fingerprint() {
		t.Fatal(err)
	}
	if _, err := again.key.Sign(nil, make([]byte, 32), nil); err != nil && !samePublicKey(again.key.Public(), a.key.Public()) {
		t.Error(err)
	}
	for name, ask := range map[string]Passphrase{"wrong": words("battery staple"), "none": nil} {
		if _, err := LoadEncrypted(s.cert, s.key, ask); !errors.Is(err, ErrPassphrase) || !strings.Contains(err.Error(), s.key) {
			t.Errorf("%s passphrase: %v", name, err)
		}
	}
	if _, err := LoadEncrypted(s.cert, s.key, words("")); err == nil {
		t.Error("empty passphrase accepted")
	}
	if done, err := EncryptKey(s.key, words("other")); done || err != nil {
		t.Errorf("second time: done %v, %v", done, err)
	}
}

func TestCreateEncrypted(t *testing.T) {
	cheapScrypt(t)
	s := newStore(t)
	if _, _, err := LoadOrCreate(s.cert, s.key, CreateOptions{Passphrase: words("p")}); err != nil {
		t.Fatal(err)
	}
	if encrypted, err := Encrypted(s.key); !encrypted || err != nil {
		t.Errorf("encrypted %v, %v", encrypted, err)
	}
	if _, created, err := LoadOrCreate(s.cert, s.key, CreateOptions{Passphrase: words("p")}); created || err != nil {
		t.Errorf("created %v, %v", created, err)
	}
}

func TestEncryptKeyRefuses(t *testing.T) {
	cheapScrypt(t)
	dir := t.TempDir()
	for name, content := range map[string]string{"empty": "", "text": "no key", "cert": string(testAuthority(t, "").PEM())} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := EncryptKey(file, words("p")); err == nil {
			t.Errorf("%s: encrypted", name)
		}
		if after, _ := os.ReadFile(file); string(after) != content {
			t.Errorf("%s: changed", name)
		}
	}
}

func TestEncodeKey(t *testing.T) {
	for _, size := range []int{0, 1, 47, 48, 49, 138, 1200} {
		der := bytes.Repeat([]byte{0xa5}, size)
		if got, want := encodeKey(der), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}); !bytes.Equal(got, want) {
			t.Errorf("%d octets: %q, want %q", size, got, want)
		}
	}
}

func FuzzUnseal(f *testing.F) {
	cheapScrypt(f)
	good, err := encryptFile([]byte("-----BEGIN PRIVATE KEY-----\n"), words("p"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Add([]byte("-----BEGIN AGE ENCRYPTED FILE-----\n-----END AGE ENCRYPTED FILE-----\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if bytes.Contains(data, []byte("c2NyeXB0")) && !bytes.Equal(data, good) {
			t.Skip("may ask for a costly scrypt")
		}
		out, err := decryptFile(data, words("p"))
		if err == nil && !isAgeFile(data) && !bytes.Equal(out, data) {
			t.Error("octets in clear changed")
		}
	})
}
