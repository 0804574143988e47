package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A file that starts from the built-in configuration changes what it names, and keeps
// the rest.
func TestBaseDefault(t *testing.T) {
	const state = "/srv/clearspan"
	read := func(text string) *Config {
		t.Helper()
		c, err := Parse("clearspan.yaml", []byte("state: "+state+"\n"+text), ".")
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	want := builtIn(state)
	if diff := cmp.Diff(want, read("base: default\n"), comparePlain); diff != "" {
		t.Errorf("nothing is named (-built in +file):\n%s", diff)
	}
	want.Client.MinTLS = 0x304
	want.Mirrors = nil
	got := read("base: default\nclient: {min_tls: '1.3'}\nmirror: []\n")
	if diff := cmp.Diff(want, got, comparePlain); diff != "" {
		t.Errorf("two sections are named (-want +got):\n%s", diff)
	}
	if c := read("base: none\nintake: [{name: a, mode: explicit, listen: ':1080'}]\n"); len(c.Mirrors) != 0 {
		t.Errorf("base: none has mirrors %v", c.Mirrors)
	}
}

// What is wrong with a section of the built-in configuration stands at the key that
// asked for it.
func TestBaseFaults(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"address taken", "authority: {publish: 127.0.0.1:8080}\nbase: default\n", "f:1:22: publish: 127.0.0.1:8080 is taken by intake proxy"},
		{"unknown word", "base: defaults\n", "f:1:7: base: unknown value \"defaults\" (did you mean \"default\"?)"},
		{"none needs an intake", "base: none\n", "f:1:1: intake is missing"},
	} {
		_, err := Parse("f", []byte(tt.text), ".")
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %s", tt.name, err, tt.want)
		}
	}
}

// The built-in file, and the example, are files that a user may save and run.
func TestEmbeddedFiles(t *testing.T) {
	for name, text := range map[string][]byte{"built in": BuiltIn, "example": Example} {
		if _, err := Parse(name, text, "."); err != nil {
			t.Error(err)
		}
	}
}

// Pages do not lie on a port that browsers refuse.
func TestPagePorts(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"authority: {publish: 127.0.0.1:10080}", "publish: browsers refuse port 10080"},
		{"admin: {listen: 127.0.0.1:6000}", "listen: browsers refuse port 6000"},
		{"authority: {publish: 127.0.0.1:8091}\nleaf: {crl: 'http://ca.test:10080'}", "crl: browsers refuse port 10080"},
		{"authority: {publish: 127.0.0.1:8091}\nleaf: {crl: true}", ""},
		{"admin: {listen: 127.0.0.1:0}", ""},
		{"admin: {listen: off}", ""},
	} {
		_, err := Parse("f", []byte("base: default\n"+tt.text), ".")
		if got := ""; err != nil || tt.want != "" {
			if err != nil {
				got = err.Error()
			}
			if tt.want == "" || !strings.Contains(got, tt.want) {
				t.Errorf("%s: %v, want %q", tt.text, err, tt.want)
			}
		}
	}
}
