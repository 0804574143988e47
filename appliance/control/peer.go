package control

import (
	"fmt"
	"net"
	"os/user"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

// Group is the group whose members may read.
const Group = "clearspan"

// Access is what a peer may do.
type Access int

// The kinds of access. Each includes those before it.
const (
	NoAccess Access = iota
	Read            // look at everything
	Full            // change everything
)

// Peer is the process at the other end of a connection.
type Peer struct {
	User    int
	Process int
	Access  Access
}

// overflow is the number that the kernel shows for users whom a user namespace does not
// know (user_namespaces(7)). It may be anybody, so that it is nobody's own.
const overflow = 65534

// groupID returns the number of [Group], -1 if there is none.
func groupID() int {
	g, err := user.LookupGroup(Group)
	if err != nil {
		return -1
	}
	id, err := strconv.Atoi(g.Gid)
	if err != nil {
		return -1
	}
	return id
}

// peerOf asks the kernel who connected. owners are the users that may do everything,
// beside root; the members of group may read, unless that is -1.
func peerOf(conn *net.UnixConn, owners []int, group int) (p Peer, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return Peer{}, fmt.Errorf("find out who connects: %w", err)
	}
	var cred *unix.Ucred
	var groups []int
	if asked := raw.Control(func(fd uintptr) {
		if cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
			groups = append(peerGroups(int(fd)), int(cred.Gid))
		}
	}); asked != nil {
		err = asked
	}
	if err != nil {
		return Peer{}, fmt.Errorf("find out who connects: %w", err)
	}
	p = Peer{User: int(cred.Uid), Process: int(cred.Pid)}
	switch {
	case p.User == 0, p.User != overflow && slices.Contains(owners, p.User):
		p.Access = Full
	case group >= 0 && group != overflow && slices.Contains(groups, group):
		p.Access = Read
	}
	return p, nil
}
