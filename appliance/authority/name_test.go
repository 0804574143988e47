package authority

import (
	"strings"
	"testing"
	"time"
)

func TestName(t *testing.T) {
	now := time.Date(2026, 12, 1, 23, 0, 0, 0, time.UTC)
	for _, tt := range []struct{ host, want string }{
		{"box1", "clearspan inspection authority box1 2026-12-01"},
		{"box1.example.test", "clearspan inspection authority box1 2026-12-01"},
		{"", "clearspan inspection authority 2026-12-01"},
		{"b\u00fcx \n1", "clearspan inspection authority bx1 2026-12-01"},
		{strings.Repeat("a", 63), "clearspan inspection authority " + strings.Repeat("a", 22) + " 2026-12-01"},
	} {
		got := name(TrustedName, tt.host, now)
		if got != tt.want || len(got) > maxName {
			t.Errorf("%q: %q, want %q", tt.host, got, tt.want)
		}
	}
	if got := Name(UntrustedName, now); !strings.HasPrefix(got, "clearspan UNTRUSTED authority ") {
		t.Error(got)
	}
}
