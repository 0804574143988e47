package config

import (
	"crypto/tls"
	"errors"
	"fmt"
	"math"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
)

// parseName accepts what names of intakes, mirrors and rules are made of: they
// become metric labels, table names and keys of the audit entry.
func parseName(s string) (string, error) {
	if s == "" || len(s) > 63 {
		return "", errors.New("want 1 to 63 characters")
	}
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return "", fmt.Errorf("%q holds other characters than a-z, 0-9 and -", s)
		}
	}
	return s, nil
}

// oneOf accepts the words of the given values: strings, or values with a method
// String.
func oneOf[T any](values ...T) func(string) (T, error) {
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = fmt.Sprint(v)
	}
	return func(s string) (v T, err error) {
		if i := slices.Index(texts, s); i >= 0 {
			return values[i], nil
		}
		want := texts[0]
		if last := len(texts) - 1; last > 0 {
			want = strings.Join(texts[:last], ", ") + " or " + texts[last]
		}
		if near := nearest(s, texts); near != "" {
			return v, fmt.Errorf("unknown value %q (did you mean %q?), want %s", s, near, want)
		}
		return v, fmt.Errorf("unknown value %q, want %s", s, want)
	}
}

// parseBool accepts true and false.
func parseBool(s string) (bool, error) {
	if s != "true" && s != "false" {
		return false, fmt.Errorf("want true or false, not %q", s)
	}
	return s == "true", nil
}

// number accepts a decimal number from low to high.
func number(low, high uint64) func(string) (uint64, error) {
	return func(s string) (uint64, error) {
		v, err := strconv.ParseUint(s, 10, 64)
		if err != nil || v < low || v > high {
			return 0, fmt.Errorf("want a number from %d to %d, not %q", low, high, s)
		}
		return v, nil
	}
}

// duration accepts "1m30s" and the like, from low to high.
func duration(low, high time.Duration) func(string) (time.Duration, error) {
	return func(s string) (time.Duration, error) {
		d, err := time.ParseDuration(s)
		if meant := meantDuration(s); err != nil && meant != "" {
			return 0, fmt.Errorf("want a duration such as 30s or 1h, not %q (did you mean %q?)", s, meant)
		}
		if err != nil {
			return 0, fmt.Errorf("want a duration such as 30s or 1h, not %q", s)
		}
		if d < low || d > high {
			return 0, fmt.Errorf("want a duration from %v to %v, not %v", low, high, d)
		}
		return d, nil
	}
}

// parseSize accepts octets, or a number with the unit KiB, MiB, GiB or TiB.
func parseSize(s string) (uint64, error) {
	digits, shift := s, 0
	for i, unit := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if d, ok := strings.CutSuffix(s, unit); ok {
			digits, shift = strings.TrimSpace(d), 10*(i+1)
		}
	}
	v, err := strconv.ParseUint(digits, 10, 64)
	if err != nil {
		if meant := meantSize(s); meant != "" {
			return 0, fmt.Errorf("want a size such as 512MiB or a number of octets, not %q (did you mean %q?)", s, meant)
		}
		return 0, fmt.Errorf("want a size such as 512MiB or a number of octets, not %q", s)
	}
	if v > math.MaxInt64>>shift {
		return 0, fmt.Errorf("size %q is too large", s)
	}
	return v << shift, nil
}

// parseTLSVersion accepts the versions that may be negotiated at all.
func parseTLSVersion(s string) (uint16, error) {
	switch s {
	case "1.2":
		return tls.VersionTLS12, nil
	case "1.3":
		return tls.VersionTLS13, nil
	case "1.0", "1.1":
		return 0, fmt.Errorf("TLS %s is deprecated (RFC 8996) and never negotiated, want 1.2 or 1.3", s)
	}
	return 0, fmt.Errorf("unknown TLS version %q, want 1.2 or 1.3", s)
}

// parseInterface accepts a name that Linux accepts for a network interface.
func parseInterface(s string) (string, error) {
	if s == "" || len(s) > 15 || s == "." || s == ".." || strings.ContainsFunc(s, func(c rune) bool {
		return c <= ' ' || c == '/' || c == ':' || c > '~'
	}) {
		return "", fmt.Errorf("%q is not an interface name", s)
	}
	return s, nil
}

// parseMAC accepts a unicast Ethernet address other than zero.
func parseMAC(s string) (m [6]byte, err error) {
	hw, err := net.ParseMAC(s)
	if err != nil || len(hw) != len(m) {
		return m, fmt.Errorf("want an Ethernet address such as 0a:00:00:00:00:01, not %q", s)
	}
	copy(m[:], hw)
	if m == ([6]byte{}) || m[0]&1 != 0 {
		return [6]byte{}, fmt.Errorf("%q cannot be a sender's address", s)
	}
	return m, nil
}

// parseAccount accepts the name or number of a user.
func parseAccount(s string) (string, error) {
	if strings.HasPrefix(s, "@") {
		return "", fmt.Errorf("want a user such as clearspan, not %q", s)
	}
	return parseUser(s)
}

// parseUser accepts the name or number of a user, or of a group behind an "@".
func parseUser(s string) (string, error) {
	name := strings.TrimPrefix(s, "@")
	if name == "" || len(name) > 256 || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r == ':' || r == '@' || r == ',' || r == 0x7f }) {
		return "", fmt.Errorf("want a user such as recorder or a group such as @recorders, not %q", s)
	}
	return s, nil
}

// ParseSize reads a number of octets as the configuration has it, such as 10GiB.
func ParseSize(s string) (uint64, error) { return parseSize(s) }
