package config

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestFill: a struct gets the keys that it has fields for, with the defaults, bounds and
// words that are described.
func TestFill(t *testing.T) {
	type client struct {
		SilenceTimeout time.Duration
		FullHandshakes bool // the opposite of resumption
		Other          int
	}
	read := func(text string) (c client, errs Errors) {
		root, _, err := parseTree([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		r := &reader{file: "test.yaml", lines: make(map[string]int)}
		table := r.table(root, "client")
		value(table, "idle_timeout", 0, duration(0, time.Hour)) // read by hand
		table.fill("client", "", &c)
		table.close()
		return c, r.errs
	}
	got, errs := read("{silence_timeout: 20s, idle_timeout: 0s}")
	if diff := cmp.Diff(client{20 * time.Second, false, 0}, got); diff != "" || len(errs) > 0 {
		t.Errorf("errors %v (-want +got):\n%s", errs, diff)
	}
	if got, _ = read("{resumption: false}"); !got.FullHandshakes {
		t.Errorf("%+v without resumption", got)
	}
	got, errs = read("{silence_timeout: 0s, resumption: maybe, min_tls: '1.3'}")
	if got.SilenceTimeout != 0 || got.FullHandshakes || len(errs) != 3 { // min_tls has no field
		t.Errorf("%+v, errors %v", got, errs)
	}
}
