package intakes

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/clearspan/clearspan/appliance/admin"
	"github.com/clearspan/clearspan/appliance/config"
	"github.com/clearspan/clearspan/appliance/intake"
	"github.com/clearspan/clearspan/decrypt"
	"github.com/clearspan/clearspan/mirror/pcapip"
)

func TestGuard(t *testing.T) {
	var g guard
	g.add(&config.Config{
		Admin: admin.Options{Listen: "127.0.0.1:8090"},
		Intakes: []config.Intake{
			{Mode: config.Explicit, Proxy: intake.Explicit{Listen: ":8080"}}, {Mode: config.Explicit, Proxy: intake.Explicit{Listen: "0.0.0.0:8081"}},
			{Mode: config.Explicit, Proxy: intake.Explicit{Listen: "[::]:8082"}}, {Mode: config.Explicit, Proxy: intake.Explicit{Listen: "localhost:8083"}},
			{Mode: config.Static, Static: intake.Static{Listen: "127.0.0.2:8443"}}, {Mode: config.Static, Static: intake.Static{Listen: "127.0.0.3:8443"}},
			{Mode: config.Static, Static: intake.Static{Listen: "[::1]:8444"}},
		},
		Mirrors: []config.Mirror{{Live: pcapip.Config{Addr: "127.0.0.1:57012"}}},
	})
	for to, permitted := range map[string]bool{
		"127.0.0.1:8090":          false,
		"[::ffff:127.0.0.1]:8090": false,
		"0.0.0.0:8090":            false,
		"127.0.0.2:8090":          true, // another listener
		"[::1]:8090":              true,
		"[::1]:8080":              false,
		"[::ffff:127.0.0.1]:8080": false,
		"127.9.9.9:8081":          false,
		"127.0.0.1:8082":          false,
		"127.0.0.1:8083":          false,
		"127.0.0.1:8443":          true,
		"127.0.0.2:8443":          false,
		"127.0.0.3:8443":          false,
		"[::1]:8444":              false,
		"127.0.0.1:8444":          true,
		"127.0.0.1:57012":         false,
		"127.0.0.1:443":           true,
		"192.0.2.1:8080":          true,
	} {
		err := g.permit(netip.MustParseAddrPort(to))
		if (err == nil) != permitted || err != nil && !errors.Is(err, decrypt.ErrLoop) {
			t.Errorf("%s: %v", to, err)
		}
	}
}
