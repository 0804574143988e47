package appliance

import (
	"fmt"
	"reflect"

	"github.com/clearspan/clearspan/appliance/config"
	"github.com/clearspan/clearspan/appliance/rules"
)

// fixed are the parts of the configuration that stay what they are until a restart, by
// their keys.
var fixed = map[string]func(*config.Config) any{
	"state":         func(c *config.Config) any { return &c.State },
	"user":          func(c *config.Config) any { return &c.User },
	"intake":        func(c *config.Config) any { return &c.Intakes },
	"authority":     func(c *config.Config) any { return &c.Authority },
	"mirror":        func(c *config.Config) any { return &c.Mirrors },
	"audit":         func(c *config.Config) any { return &c.Audit },
	"admin":         func(c *config.Config) any { return &c.Admin },
	"services":      func(c *config.Config) any { return &c.Services },
	"limits.memory": func(c *config.Config) any { return &c.Limits.Memory },
}

// Reload puts policy, block, leaf, client, origin and the session limit of cfg in force
// for sessions that begin from now on, and loads the authorities again. Changes
// elsewhere need a restart and are listed in the log. On error the running
// configuration stays.
func (a *Appliance) Reload(cfg *config.Config) error {
	a.reload.Lock()
	defer a.reload.Unlock()
	merged, restart := *cfg, []string(nil)
	for key, part := range fixed {
		if !reflect.DeepEqual(part(a.cfg), part(cfg)) {
			restart = append(restart, key)
		}
		reflect.ValueOf(part(&merged)).Elem().Set(reflect.ValueOf(part(a.cfg)).Elem())
	}
	if a.publish == nil {
		merged.Leaf.CRL = "" // nobody would serve it
	}
	g, err := a.newGeneration(&merged)
	if err != nil {
		return fmt.Errorf("reload: %w", err)
	}
	a.install(g)
	a.learned.SetOptions(rules.Lessons(&merged))
	a.intakes.Renew()
	a.limiter.SetLimits(cfg.Limits.Limits)
	if err := a.audit.Reopen(); err != nil {
		a.log.Error("audit trail not reopened", "err", err)
	}
	for _, key := range restart {
		a.log.Warn("change needs a restart", "key", key)
	}
	a.cfg = &merged
	a.log.Info("reloaded", "rules", len(cfg.Policy.Rules))
	return nil
}

// renew is a reload of the authorities alone.
func (a *Appliance) renew() error {
	a.reload.Lock()
	defer a.reload.Unlock()
	g, err := a.newGeneration(a.cfg)
	if err != nil {
		return err
	}
	a.install(g)
	return nil
}
