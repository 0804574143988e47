package adapt

import "testing"

// TestStricter: of services that share an engine, the stricter decides.
func TestStricter(t *testing.T) {
	for i, a := range []Passage{"", Known, Scan, Block} { // from the mildest
		for j, b := range []Passage{"", Known, Scan, Block} {
			want := b
			if i > j {
				want = a
			}
			if got := Stricter(a, b); got != want && (want != "" || got != Pass) {
				t.Errorf("%q and %q: %q, want %q", a, b, got, want)
			}
		}
		if got := a.Passes(); got != (i < 2) {
			t.Errorf("%q passes: %v", a, got)
		}
	}
}
