package appliance

import (
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/clearspan/clearspan/appliance/config"
	"github.com/clearspan/clearspan/appliance/control"
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
	"recorder":      func(c *config.Config) any { return &c.Recorder },
	"limits.memory": func(c *config.Config) any { return &c.Limits.Memory },
}

// changing are the parts that a reload puts in force, by their keys.
var changing = map[string]func(*config.Config) any{
	"policy": func(c *config.Config) any { return &c.Policy },
	"block":  func(c *config.Config) any { return &c.Block },
	"leaf":   func(c *config.Config) any { return &c.Leaf },
	"client": func(c *config.Config) any { return &c.Client },
	"origin": func(c *config.Config) any { return &c.Origin },
	"limits": func(c *config.Config) any { return &c.Limits },
	"drain":  func(c *config.Config) any { return &c.Drain },
}

// Reload puts policy, block, leaf, client, origin and the session limit of cfg in force
// for sessions that begin from now on, and loads the authorities again. Changes
// elsewhere need a restart: they are listed in the log and in what is returned. On error
// the running configuration stays.
func (a *Appliance) Reload(cfg *config.Config) (control.Reloaded, error) {
	a.reload.Lock()
	defer a.reload.Unlock()
	merged := *cfg
	done := control.Reloaded{File: a.file, Changed: []string{}, Restart: differing(fixed, a.cfg, cfg)}
	for _, part := range fixed {
		reflect.ValueOf(part(&merged)).Elem().Set(reflect.ValueOf(part(a.cfg)).Elem())
	}
	if a.publish == nil {
		merged.Leaf.CRL = "" // nobody would serve it
	}
	g, err := a.newGeneration(&merged)
	if err != nil {
		return control.Reloaded{}, fmt.Errorf("reload: %w", err)
	}
	done.Changed = append(done.Changed, differing(changing, a.cfg, &merged)...)
	if g.authorities.Trusted.Fingerprint() != a.engine.Load().authorities.Trusted.Fingerprint() {
		done.Changed = append(done.Changed, "certificate of the authority")
	}
	a.install(g)
	a.tickets.Renew()
	a.learned.SetOptions(rules.Lessons(&merged))
	a.intakes.Renew()
	a.limiter.SetLimits(cfg.Limits.Limits)
	if err := a.audit.Reopen(); err != nil {
		a.log.Error("audit trail not reopened", "err", err)
	}
	for _, key := range done.Restart {
		a.log.Warn("change needs a restart", "key", key)
	}
	a.cfg = &merged
	a.inForce.Store(&inForce{cfg: &merged, loaded: time.Now(), waits: done.Restart})
	a.log.Info("reloaded", "rules", len(cfg.Policy.Rules))
	return done, nil
}

// differing returns the keys whose parts are not the same in both configurations, sorted.
func differing(parts map[string]func(*config.Config) any, before, after *config.Config) []string {
	list := []string{}
	for key, part := range parts {
		if !reflect.DeepEqual(part(before), part(after)) {
			list = append(list, key)
		}
	}
	slices.Sort(list)
	return list
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
