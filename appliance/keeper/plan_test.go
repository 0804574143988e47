package keeper

import "testing"

// TestRivals: sole resources share neither name nor claim.
func TestRivals(t *testing.T) {
	sole := func(name string, claims ...string) Resource { return Resource{Name: name, Sole: true, Claims: claims} }
	a := &held{Resource: sole("a", "x", "y")}
	a.Key = "as it was"
	for _, tt := range []struct {
		name string
		is   Resource
		want bool
	}{
		{"same name", sole("a"), true},
		{"same claim", sole("b", "z", "y"), true},
		{"other claims", sole("b", "z"), false},
		{"not sole", Resource{Name: "a", Claims: []string{"x"}}, false},
	} {
		if got := a.rivals(tt.is); got != tt.want {
			t.Errorf("%s: %t", tt.name, got)
		}
	}
	k := &Keeper{held: []*held{a}}
	if got := k.occupied(&Plan{Resources: []Resource{sole("c", "y")}}); got != "c" {
		t.Errorf("occupied: %q", got)
	}
}
