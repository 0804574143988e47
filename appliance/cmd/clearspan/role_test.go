package main

import (
	"maps"
	"slices"
	"testing"

	"github.com/clearspan/clearspan/appliance/privilege/rights"
)

// TestRolesHaveRights: each process that the keeper starts is in the list of rights, and the
// list has no others.
func TestRolesHaveRights(t *testing.T) {
	var listed []string
	for _, r := range rights.Roles() {
		if !r.Unbounded {
			listed = append(listed, r.Name)
		}
	}
	slices.Sort(listed)
	if started := slices.Sorted(maps.Keys(roles)); !slices.Equal(started, listed) {
		t.Errorf("processes %q, rights of %q", started, listed)
	}
	if _, err := rights.Confine(&rights.Keeper, nil, ""); err == nil {
		t.Error("a process without bounds is confined")
	}
}
