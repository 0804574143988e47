package analyst

import (
	"time"

	"github.com/clearspan/clearspan/appliance/dissect"
	"github.com/clearspan/clearspan/appliance/recorder/trail"
)

// hosts are names that machines have given themselves when they asked for an address, by
// their address of Ethernet. Servers do not always repeat them.
type hosts struct {
	names map[string]string
	order []string
}

// maxHosts bounds the names that are kept. The oldest is forgotten.
const maxHosts = 10_000

func (h *hosts) note(mac, name string) {
	if h.names == nil {
		h.names = make(map[string]string)
	}
	if _, again := h.names[mac]; !again {
		if len(h.order) >= maxHosts {
			delete(h.names, h.order[0])
			h.order = h.order[1:]
		}
		h.order = append(h.order, mac)
	}
	h.names[mac] = name
}

// holder notes who has an address.
func (a *Analyst) holder(at time.Time, h *dissect.Holder) {
	host := text([]byte(h.Host))
	if h.Asked {
		if host != "" {
			a.hosts.note(h.MAC, host)
		}
		return
	}
	if !h.Address.IsValid() {
		return
	}
	if host == "" {
		host = a.hosts.names[h.MAC]
	}
	a.batch.Who = append(a.batch.Who, trail.Who{
		Address: h.Address, From: at, To: at.Add(time.Duration(h.Seconds) * time.Second),
		MAC: h.MAC, Host: host, User: text([]byte(h.User)), Source: h.Source,
	})
}

// who notes the user of a login for the address of the client.
func (s *session) who(e *event) {
	source := "sasl"
	switch {
	case e.Mechanism == "NTLM" || e.Mechanism == "Negotiate":
		source = "ntlm"
	case s.word() == "http":
		source = "web"
	}
	s.a.batch.Who = append(s.a.batch.Who, trail.Who{Address: s.flow.Client.Addr(), From: e.At, To: e.At, User: e.User, Source: source})
}
