package intakes

import (
	"net/netip"
	"testing"

	"github.com/clearspan/clearspan/appliance/admin"
	"github.com/clearspan/clearspan/appliance/config"
	"github.com/clearspan/clearspan/appliance/intake"
	"github.com/clearspan/clearspan/mirror/pcapip"
)

func TestGuard(t *testing.T) {
	var g guard
	g.add(&config.Config{
		Admin:   admin.Options{Listen: "127.0.0.1:8090"},
		Intakes: []config.Intake{{Mode: config.Explicit, Proxy: intake.Explicit{Listen: ":8080"}}},
		Mirrors: []config.Mirror{{Live: pcapip.Config{Addr: "127.0.0.1:57012"}}},
	})
	for to, permitted := range map[string]bool{
		"127.0.0.1:8090":          false,
		"127.0.0.2:8090":          false,
		"[::1]:8080":              false,
		"[::ffff:127.0.0.1]:8080": false,
		"127.0.0.1:57012":         false,
		"127.0.0.1:443":           true,
		"192.0.2.1:8080":          true,
	} {
		if err := g.permit(netip.MustParseAddrPort(to)); (err == nil) != permitted {
			t.Errorf("%s: %v", to, err)
		}
	}
}
