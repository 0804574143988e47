package policy

import (
	"fmt"
	"strings"
)

// fingerprint is a JA4 of which some of the three parts may be left open.
type fingerprint [3]string // "" stands for any

// newFingerprint reads "t13d1516h2_8daaf6152771_e5627efa2ab1", in which "*" may
// stand for a part.
func newFingerprint(s string) (f fingerprint, err error) {
	parts := strings.Split(s, "_")
	if len(parts) != len(f) {
		return f, fmt.Errorf(`ja4 %q does not have three parts, each of which may be "*"`, s)
	}
	open := 0
	for i, p := range parts {
		if p == "*" {
			open++
			continue
		}
		want := 12
		if i == 0 {
			want = 10
		}
		if len(p) != want || i > 0 && strings.Trim(p, "0123456789abcdef") != "" {
			return f, fmt.Errorf("ja4 %q: %q is not a part of a fingerprint", s, p)
		}
		f[i] = p
	}
	if open == len(f) {
		return f, fmt.Errorf("ja4 %q stands for every hello: leave ja4 out", s)
	}
	return f, nil
}

// CheckJA4 returns nil for what a rule's condition on JA4 may hold.
func CheckJA4(s string) error {
	_, err := newFingerprint(s)
	return err
}

// meets reports whether ja4 is such a fingerprint. It allocates nothing.
func (f *fingerprint) meets(ja4 string) bool {
	for i, want := range f {
		part, rest, more := strings.Cut(ja4, "_")
		if more != (i < len(f)-1) || want != "" && part != want {
			return false
		}
		ja4 = rest
	}
	return true
}

func (f fingerprint) String() string {
	for i := range f {
		if f[i] == "" {
			f[i] = "*"
		}
	}
	return strings.Join(f[:], "_")
}
