package deploy

import (
	"strings"
	"testing"

	"github.com/clearspan/clearspan/appliance/config"
	"github.com/clearspan/clearspan/appliance/privilege/rights"
)

// TestProfilesHaveRights: a profile lets the service have what the worker keeps.
func TestProfilesHaveRights(t *testing.T) {
	for _, cfg := range []*config.Config{
		{Intakes: []config.Intake{{Mode: config.TProxy}}},
		{Intakes: []config.Intake{{Mode: config.Redirect}}},
		{Intakes: []config.Intake{{Mode: config.Wire}}},
		{Mirrors: []config.Mirror{{Kind: config.Interface}}},
		{Services: []config.Service{{Kind: config.Inline}}},
	} {
		profile, _ := Choose(cfg)
		text, _ := DropIn(cfg, ConfigFile, Program)
		keep := rights.Worker.Granted(cfg).Keep
		if len(keep) == 0 {
			t.Errorf("%s: nothing is granted", profile)
		}
		for _, v := range keep {
			if !strings.Contains(text, strings.ToUpper(v.String())) {
				t.Errorf("%s has no %v", profile, v)
			}
		}
	}
	if proxy := rights.Worker.Granted(&config.Config{Intakes: []config.Intake{{Mode: config.Explicit}}}); len(proxy.Keep) > 0 {
		t.Errorf("a proxy keeps %v", proxy.Keep)
	}
}
