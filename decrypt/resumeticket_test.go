package decrypt

import (
	"crypto/tls"
	"errors"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/clearspan/clearspan/decrypt/ticket"
)

// TestTicketOfGeneration: a ticket opens in another engine if it has the same secrets
// for the same authorities.
func TestTicketOfGeneration(t *testing.T) {
	secrets := ticket.NewSecrets()
	for _, tt := range []struct {
		name    string
		secrets *ticket.Secrets
		scope   string
		resumes bool
	}{
		{"same secrets", secrets, "authority", true},
		{"other secrets", ticket.NewSecrets(), "authority", false},
		{"other authority", secrets, "other", false},
		{"no secrets", nil, "authority", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			eachVersion(t, func(t *testing.T, version uint16) {
				at443 := func(in *Incoming) { in.Origin = netip.AddrPortFrom(in.Origin.Addr(), 443) } // tickets are for a port
				old := newResumable(t, version, func(b *testbed) {
					b.incoming = at443
					b.cfg.Tickets, b.cfg.TicketScope = secrets, []byte("authority")
				})
				old.cache = &sameTicket{}
				old.exchange(nil)
				r := newResumable(t, version, func(b *testbed) {
					b.incoming = at443
					b.forger, b.cfg.Forger, b.cfg.Verifier = old.forger, old.cfg.Forger, old.cfg.Verifier
					b.cfg.Tickets, b.cfg.TicketScope = tt.secrets, []byte(tt.scope)
				})
				r.origins.Store(old.origins.Load())
				r.cache = old.cache
				s, _ := r.exchange(nil)
				r.want(s, tt.resumes, false)
			})
		})
	}
}

// TestTicketRefused: an origin that breaks off when it sees a ticket gets a full
// handshake, on a new connection.
func TestTicketRefused(t *testing.T) {
	eachVersion(t, func(t *testing.T, version uint16) {
		r := newResumable(t, version, nil)
		r.exchange(nil)
		cfg := r.origins.Load().Clone()
		var hands atomic.Int32
		cfg.UnwrapSession = func(ticket []byte, _ tls.ConnectionState) (*tls.SessionState, error) {
			if len(ticket) == 0 {
				return nil, nil
			}
			hands.Add(1)
			return nil, errors.New("seen a ticket")
		}
		r.origins.Store(cfg)
		s, _ := r.exchange(nil)
		r.want(s, true, false)
		if n := hands.Load(); n != 1 {
			t.Errorf("%d tickets offered", n)
		}
	})
}

// TestTicketOfOrigin: an origin sees each ticket of TLS 1.3 once, and none of
// another client's or with another name.
func TestTicketOfOrigin(t *testing.T) {
	eachVersion(t, func(t *testing.T, version uint16) {
		r := newResumable(t, version, nil)
		seen := make(map[string]int)
		var mu sync.Mutex
		cfg := r.origins.Load()
		cfg.UnwrapSession = func(ticket []byte, cs tls.ConnectionState) (*tls.SessionState, error) {
			mu.Lock()
			defer mu.Unlock()
			if len(ticket) > 0 {
				seen[string(ticket)]++
			}
			return cfg.DecryptTicket(ticket, cs)
		}
		cfg.WrapSession = cfg.EncryptTicket
		for range 4 {
			r.exchange(nil)
		}
		r.exchange(func(cfg *tls.Config) { cfg.ServerName = "bank.example.test" })
		if version == tls.VersionTLS13 && len(seen) != 3 {
			t.Errorf("%d tickets seen", len(seen))
		}
		for _, n := range seen {
			if n != 1 && version == tls.VersionTLS13 {
				t.Errorf("a ticket is seen %d times", n)
			}
		}
	})
}
