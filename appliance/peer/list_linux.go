package peer

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"
)

// List says who is served: root, the user of this process, and those it names. The
// zero List is useful.
type List struct {
	// Users are users of this machine, and groups behind an "@", by name or number.
	Users []string
	// From are the networks of other machines; nil: private and link-local addresses.
	From []netip.Prefix
}

var errClosed = errors.New("no process of this machine holds the other end")

// Permit returns an error if the other end of a connection is not served. Users of
// this machine are served by name whatever address they come from.
func (l List) Permit(conn net.Conn) error {
	uid, found, err := Owner(conn.RemoteAddr(), conn.LocalAddr())
	switch {
	case err != nil:
		return err
	case found && !l.user(uid):
		return fmt.Errorf("user %s of this machine is not served", name(uid))
	case found:
		return nil
	}
	from := addrPort(conn.RemoteAddr()).Addr()
	switch {
	case from.IsLoopback():
		return errClosed
	case l.From == nil && (from.IsPrivate() || from.IsLinkLocalUnicast()):
		return nil
	case slices.ContainsFunc(l.From, func(p netip.Prefix) bool { return p.Contains(from) }):
		return nil
	}
	return fmt.Errorf("address %s is not of a network that is served", from)
}

// user reports whether a user of this machine is served.
func (l List) user(uid uint32) bool {
	if uid == 0 || uid == uint32(os.Geteuid()) {
		return true
	}
	if len(l.Users) == 0 {
		return false
	}
	number := strconv.FormatUint(uint64(uid), 10)
	known := []string{number}
	if u, err := user.LookupId(number); err == nil {
		known = append(known, u.Username)
		groups, _ := u.GroupIds()
		for _, id := range append(groups, u.Gid) {
			known = append(known, "@"+id)
			if g, err := user.LookupGroupId(id); err == nil {
				known = append(known, "@"+g.Name)
			}
		}
	}
	return slices.ContainsFunc(l.Users, func(listed string) bool { return slices.Contains(known, listed) })
}

// name is how messages call a user.
func name(uid uint32) string {
	number := strconv.FormatUint(uint64(uid), 10)
	if u, err := user.LookupId(number); err == nil && !strings.ContainsAny(u.Username, " \t\n") {
		return u.Username
	}
	return number
}
