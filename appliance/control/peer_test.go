package control

import (
	"os"
	"strings"
	"testing"

	"github.com/clearspan/clearspan/hack/needs"
)

// Numbers that no account has.
const (
	stranger = 4_200_001
	members  = 4_200_002 // a group
)

// TestAccess: root may do everything, a member of the group may read, a stranger may do
// nothing, even if the file's mode lets him connect.
func TestAccess(t *testing.T) {
	if os.Geteuid() != 0 {
		needs.Missing(t, "becomes other users: needs root")
	}
	path := serve(t, &fake{reload: func() (Reloaded, error) { return Reloaded{}, nil }}, members)
	for _, tt := range []struct {
		name        string
		uid         uint32
		groups      []uint32
		method, url string
		want        string
	}{
		{"root reads", 0, []uint32{0}, "GET", "/api/v1/status", "200 {"},
		{"root changes", 0, []uint32{0}, "POST", "/api/v1/reload", "200 {"},
		{"member reads", stranger, []uint32{members}, "GET", "/api/v1/status", "200 {"},
		{"member by another group reads", stranger, []uint32{stranger, 1, members, 2}, "GET", "/api/v1/status", "200 {"},
		{"member of many groups reads", stranger, append(many(100), members), "GET", "/api/v1/status", "200 {"},
		{"member changes", stranger, []uint32{members}, "POST", "/api/v1/reload", "403 {"},
		{"stranger cannot connect", stranger, []uint32{stranger}, "GET", "/api/v1/status", "permission denied"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := askAs(t, path, tt.uid, tt.groups, tt.method, tt.url); !strings.Contains(got, tt.want) {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
	if err := os.Chmod(path, 0o666); err != nil {
		t.Fatal(err)
	}
	for _, url := range []string{"/api/v1/status", "/api/v1/nosuch"} {
		if p := problem(t, askAs(t, path, stranger, []uint32{stranger}, "GET", url)); p.Type != TypeForbidden {
			t.Errorf("%s: %+v", url, p)
		}
	}
	if p := problem(t, askAs(t, path, overflow, []uint32{overflow}, "GET", "/api/v1/status")); p.Type != TypeForbidden {
		t.Errorf("a user without a number here: %+v", p)
	}
}

// many returns n groups.
func many(n int) (list []uint32) {
	for i := range n {
		list = append(list, uint32(5_000_000+i))
	}
	return list
}

// TestOwner: the user of the process may do everything.
func TestOwner(t *testing.T) {
	path := serve(t, &fake{reload: func() (Reloaded, error) { return Reloaded{}, nil }}, -1)
	if got := askOnce(path, "POST", "/api/v1/reload"); !strings.HasPrefix(got, "200 ") {
		t.Error(got)
	}
}

// TestReadersLeaveRoom: readers that hold every connection they may have do not lock out
// those who may change something.
func TestReadersLeaveRoom(t *testing.T) {
	l := &listener{}
	for range maxReaders {
		if _, ok := l.take(Peer{Access: Read}); !ok {
			t.Fatal("a reader is refused within the bound")
		}
	}
	if _, ok := l.take(Peer{Access: Read}); ok {
		t.Error("one reader too many")
	}
	var ended func()
	for range maxConnections - maxReaders {
		var ok bool
		if ended, ok = l.take(Peer{Access: Full}); !ok {
			t.Fatal("no room for root")
		}
	}
	if _, ok := l.take(Peer{Access: Full}); ok {
		t.Error("no bound for root")
	}
	ended()
	if _, ok := l.take(Peer{Access: Full}); !ok {
		t.Error("a place is not given back")
	}
}
