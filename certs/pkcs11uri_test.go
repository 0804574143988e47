package certs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseTokenURI(t *testing.T) {
	for _, row := range []struct {
		name, uri string
		want      tokenURI
	}{
		{"label", "pkcs11:token=ca;object=key", tokenURI{token: "ca", slot: -1, object: "key", module: defaultModule}},
		{"all", "pkcs11:serial=12%2034;id=%00%ff;type=private;object=a%3bb?module-path=/usr/lib/x.so&pin-source=file:/etc/pin",
			tokenURI{serial: "12 34", slot: -1, id: []byte{0, 0xff}, object: "a;b", module: "/usr/lib/x.so", pin: "/etc/pin"}},
		{"slot", "pkcs11:slot-id=7;id=%01?pin-source=file:///etc/pin", tokenURI{slot: 7, id: []byte{1}, module: defaultModule, pin: "/etc/pin"}},
	} {
		got, err := parseTokenURI(row.uri)
		if err != nil {
			t.Errorf("%s: %v", row.name, err)
		}
		if diff := cmp.Diff(row.want, got, cmp.AllowUnexported(tokenURI{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", row.name, diff)
		}
	}
	for name, uri := range map[string]string{
		"one of token":      "pkcs11:object=key",
		"one of token, ser": "pkcs11:token=a;serial=b;object=key",
		"object or id":      "pkcs11:token=a",
		"twice":             "pkcs11:token=a;token=b;object=c",
		"pin-value":         "pkcs11:token=a;object=c?pin-value=1234",
		"name=value":        "pkcs11:token",
		"not a PKCS #11":    "file:/x",
		"not well encoded":  "pkcs11:token=%zz;object=c",
		"type":              "pkcs11:token=a;object=c;type=public",
		"not understood":    "pkcs11:token=a;object=c;manufacturer=x",
		"module-path":       "pkcs11:token=a;object=c?module-path=x.so",
		"pin-source":        "pkcs11:token=a;object=c?pin-source=|/bin/cat",
		"slot-id":           "pkcs11:slot-id=-1;object=c",
	} {
		err := CheckTokenURI(uri)
		if want, _, _ := strings.Cut(name, ","); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", uri, err)
		}
		if err != nil && strings.Contains(err.Error(), "1234") {
			t.Errorf("the PIN is in %q", err)
		}
	}
}

func TestReadPIN(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pin")
	if err := os.WriteFile(file, []byte("1234\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	u := tokenURI{pin: file}
	if pin, err := u.readPIN(); pin != "1234" || err != nil {
		t.Errorf("got %q, %v", pin, err)
	}
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := u.readPIN(); err == nil {
		t.Error("a PIN that all may read is accepted")
	}
}

func FuzzTokenURI(f *testing.F) {
	f.Add("pkcs11:token=ca;object=key")
	f.Add("pkcs11:slot-id=7;id=%01?pin-source=file:///etc/pin&module-path=/x")
	f.Fuzz(func(t *testing.T, uri string) {
		u, err := parseTokenURI(uri)
		if err == nil && (u.object == "" && len(u.id) == 0 || !filepath.IsAbs(u.module)) {
			t.Errorf("%q: %+v", uri, u)
		}
		_ = u.String()
	})
}
