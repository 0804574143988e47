package clienthello

import (
	"crypto/tls"
	"strings"
	"testing"
)

func TestGrade(t *testing.T) {
	modern := []uint16{0x0304, 0x0303}
	for _, tt := range []struct {
		name  string
		hello Hello
		want  Grade
		why   string
	}{
		{"TLS 1.3", Hello{Versions: modern, CipherSuites: []uint16{0x1301, 0xc02b, 0x00ff}}, GradeA, "version 0x0304"},
		{"TLS 1.2", Hello{Version: 0x0303, CipherSuites: []uint16{0xc02f}}, GradeA, "version 0x0303"},
		{"yellow behind green", Hello{Versions: modern, CipherSuites: []uint16{0x1301, 0xc013}}, GradeA, ""},
		{"yellow first", Hello{Versions: modern, CipherSuites: []uint16{0xc013, 0x1301}}, GradeB, "suite 0xc013 first"},
		{"unknown first", Hello{Versions: modern, CipherSuites: []uint16{0xeeee}}, GradeB, "suite 0xeeee first"},
		{"static RSA", Hello{Versions: modern, CipherSuites: []uint16{0x009c}}, GradeB, "suite 0x009c first"},
		{"RC4 last", Hello{Versions: modern, CipherSuites: []uint16{0x1301, 0x0005}}, GradeC, "suite 0x0005"},
		{"3DES last", Hello{Versions: modern, CipherSuites: []uint16{0x1301, 0x000a}}, GradeC, "suite 0x000a"},
		{"export behind RC4", Hello{Versions: modern, CipherSuites: []uint16{0x1301, 0x0005, 0x0003}}, GradeF, "suite 0x0003"},
		{"anonymous", Hello{Versions: modern, CipherSuites: []uint16{0xc018}}, GradeF, "suite 0xc018"},
		{"no suite", Hello{Versions: modern, CipherSuites: []uint16{0x00ff}}, GradeF, "no suite"},
		{"TLS 1.0", Hello{Version: 0x0301, CipherSuites: []uint16{0xc02f}}, GradeB, "version 0x0301"},
		{"SSL 3.0", Hello{Version: 0x0300, CipherSuites: []uint16{0xc02f}}, GradeC, "version 0x0300"},
		{"SSL 2.0", Hello{Version: 0x0002, CipherSuites: []uint16{0xc02f}}, GradeF, "version 0x0000"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, why := tt.hello.Grade()
			if got != tt.want || !strings.HasPrefix(why, tt.why) {
				t.Errorf("grade %s for %s, want %s for %s", got, why, tt.want, tt.why)
			}
		})
	}
}

// TestGradeClasses asks crypto/tls: no suite is in two classes, and what it calls
// secure is neither black nor red.
func TestGradeClasses(t *testing.T) {
	seen := make(map[uint16]bool)
	for _, class := range [][]uint16{signalling, greenSuites, redSuites, blackSuites} {
		for _, s := range class {
			if seen[s] {
				t.Errorf("suite %#04x is in two classes", s)
			}
			seen[s] = true
		}
	}
	for _, s := range tls.CipherSuites() {
		if g, why := gradeSuites([]uint16{s.ID}); g > GradeB {
			t.Errorf("%s: %s for %s", s.Name, g, why)
		}
	}
	for _, s := range tls.InsecureCipherSuites() {
		if weak := strings.Contains(s.Name, "RC4") || strings.Contains(s.Name, "3DES"); weak != (mustGrade(s.ID) == GradeC) {
			t.Errorf("%s: %s", s.Name, mustGrade(s.ID))
		}
	}
}

func mustGrade(suite uint16) Grade {
	g, _ := gradeSuites([]uint16{suite})
	return g
}

// TestGradeOpenSSL: what openssl offers when everything is asked of it is graded
// badly, so that the rule can fail.
func TestGradeOpenSSL(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want Grade
	}{
		{nil, GradeA},
		{[]string{"-cipher", "ALL:eNULL:@SECLEVEL=0", "-tls1_2"}, GradeF},
		{[]string{"-cipher", "AES128-SHA:@SECLEVEL=0", "-tls1"}, GradeB},
	} {
		h, _, err := Parse(captureOpenSSL(t, tt.args...))
		if err != nil {
			t.Fatal(err)
		}
		if got, why := h.Grade(); got != tt.want {
			t.Errorf("openssl %v: %s for %s", tt.args, got, why)
		}
	}
}
