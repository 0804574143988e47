package config

import (
	"os"
	"strings"
	"testing"
)

func TestRedact(t *testing.T) {
	text, err := Redact([]byte(`# PLANTED in a comment
state: /var/lib/box # PLANTED
authority: {key: "pkcs11:token=hsm;object=ca?pin-value=PLANTED", passphrase_file: /etc/PLANTED}
origin:
  proxy: http://user:PLANTED@192.0.2.1:3128
  password: PLANTED
  tokens: [PLANTED, {PLANTED: PLANTED}]
mirror: [{name: files, kind: pcapng, secrets: true}]
note: |
  -----BEGIN EC PRIVATE KEY-----
  PLANTED
  -----END EC PRIVATE KEY-----
`))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "PLANTED") {
		t.Errorf("a secret is left:\n%s", text)
	}
	for _, want := range []string{"state: /var/lib/box", "object=ca?pin-value=(removed)", "http://(removed)@192.0.2.1:3128", "secrets: true", "kind: pcapng"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%s is not left:\n%s", want, text)
		}
	}
	if _, err := Redact([]byte("state: [")); err == nil {
		t.Error("a file that cannot be read")
	}
}

// TestRedactKeeps: the example is the same configuration without its comments.
func TestRedactKeeps(t *testing.T) {
	data, err := os.ReadFile("example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text, err := Redact(data)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Redact(text)
	if err != nil || string(again) != string(text) {
		t.Errorf("not the same after another time: %v", err)
	}
	if strings.Contains(string(text), "#") || len(text) < 500 {
		t.Errorf("comments are left, or too little:\n%s", text)
	}
}
