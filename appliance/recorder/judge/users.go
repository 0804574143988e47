package judge

import (
	"net/netip"

	"github.com/clearspan/clearspan/appliance/recorder/trail"
)

// Users are the names of users by the address of their clients, as logins have told. It is
// for one goroutine. The zero value is empty.
type Users struct {
	names map[netip.Addr]string
}

// maxUsers bounds the addresses.
const maxUsers = 100_000

// note takes names. The last one of an address counts.
func (u *Users) note(list []trail.Who) {
	for i := range list {
		w := &list[i]
		if w.User == "" {
			continue
		}
		if u.names == nil {
			u.names = make(map[netip.Addr]string)
		}
		if _, known := u.names[w.Address]; !known && len(u.names) >= maxUsers {
			for a := range u.names { // any one goes
				delete(u.names, a)
				break
			}
		}
		u.names[w.Address] = w.User
	}
}
